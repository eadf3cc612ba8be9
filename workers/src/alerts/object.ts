import { DurableObject } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { newId } from "@acme/sdk/contract";
import type { AlertDelivery } from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";
import { BUILD_DEADLINE_MS, deploymentState } from "../runs/deployment-state.ts";
import { openRepository } from "../storage/open.ts";
import { openSql } from "../storage/sql-connection.ts";
import { type Candidate, candidatesOf } from "./candidates.ts";
import {
  type ChannelRow,
  type Destination,
  openChannel,
  type RuleRow,
  selectChannels,
  selectRules,
} from "./channels.ts";
import { type Notice, NoticeWriter } from "./notice.ts";
import type { AlertsRpc, BegunBuild, DeliveryPage, FailedDeployment, FailedRun } from "./rpc.ts";
import { send } from "./send.ts";
import { AlertStore, type DueDelivery, MOST_PENDING, type NewDelivery } from "./store.ts";

/** How long failures are gathered, so that one database query serves all of them. */
const GATHER_MS = 500;
/** How often queues are checked if a rule requires it. */
const QUEUES_EVERY_MS = 60_000;
const AGAIN_MS = 10_000;
/** The number of concurrent deliveries, so that a receiver that never answers does not delay the others. */
const AT_ONCE = 20;

/**
 * The alerts of one environment. It receives failures; its alarm decides which rules they concern, and
 * delivers notices. A notice and its deliveries are stored in one transaction, and a delivery is repeated
 * until its end is stored: so each arrives at least once under one id, and a crash costs a repetition. Each
 * environment has its own object, so its receivers can't delay another's alerts.
 */
export class AlertsObject extends DurableObject<Bindings> implements AlertsRpc {
  readonly #store: AlertStore;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    this.#store = new AlertStore(ctx.storage);
  }

  async wantsFailures(): Promise<boolean> {
    return this.ctx.storage.kv.get<boolean>("wantsFailures") ?? false;
  }

  async runsFailed(environment: string, runs: FailedRun[]): Promise<void> {
    this.#remember(environment);
    this.#store.addFailures(runs);
    await this.#wakeAt(Date.now() + GATHER_MS);
  }

  async deploymentFailed(environment: string, deployment: FailedDeployment): Promise<void> {
    this.#remember(environment);
    this.#store.addDeployment(deployment);
    await this.#wakeAt(Date.now());
  }

  async buildBegan(environment: string, build: BegunBuild): Promise<void> {
    this.#remember(environment);
    this.#store.addBuild(build);
    await this.#wakeAt(build.dueAt);
  }

  async rulesChanged(environment: string): Promise<void> {
    this.#remember(environment);
    this.#learn(await selectRules(openSql(this.env), environment));
    await this.#wakeAt(Date.now());
  }

  async deliveries(page: DeliveryPage) {
    return this.#store.page(page);
  }

  async clear(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  async sendTest(environment: EnvironmentRef, channelId: string): Promise<AlertDelivery[]> {
    this.#remember(environment.key);
    const connection = openSql(this.env);
    const channel = (await selectChannels(connection, environment.key)).find(({ id }) => id === channelId);
    if (!channel) return [];
    const destination = await openChannel(this.env, connection, channel);
    const notice = new NoticeWriter(environment, this.env.PUBLIC_URL).test();
    const now = Date.now();
    const added = deliveriesTo(channel, destination, null, notice);
    for (const delivery of added) this.#store.add(delivery, now, now + AGAIN_MS * 6);
    await Promise.all(
      added.map(async ({ id }) => {
        const due = this.#store.beginOne(id, now);
        const sent = await send(this.env, destination, due);
        // The person who sends a test sees the answer, so it is not retried.
        this.#store.end(due.number, due.attempts, sent, Date.now(), false);
      }),
    );
    return this.#store.find(added.map(({ id }) => id));
  }

  override async alarm(): Promise<void> {
    let failed = false;
    try {
      await this.#lookAtBuilds();
      await this.#evaluate();
    } catch (error) {
      failed = true;
      log.error("Alerts could not be evaluated; it is tried again", {
        environment: this.#environmentKey,
        error,
      });
    }
    try {
      await this.#deliver();
    } catch (error) {
      failed = true;
      log.error("Alerts could not be delivered; it is tried again", {
        environment: this.#environmentKey,
        error,
      });
    }
    await this.#sleep(failed);
  }

  get #environmentKey(): string {
    return this.ctx.storage.kv.get<string>("environment") ?? "";
  }

  #remember(environment: string): void {
    if (this.#environmentKey !== environment) this.ctx.storage.kv.put("environment", environment);
  }

  /** The rules determine which data the object needs. */
  #learn(rules: RuleRow[]): void {
    const types = new Set(rules.filter(({ rule }) => rule.enabled).map(({ rule }) => rule.condition.type));
    const { kv } = this.ctx.storage;
    kv.put("wantsFailures", types.has("run_failed") || types.has("error"));
    kv.put("watchesQueues", types.has("queue"));
  }

  async #wakeAt(at: number): Promise<void> {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > at) await this.ctx.storage.setAlarm(at);
  }

  async #sleep(failed: boolean): Promise<void> {
    const now = Date.now();
    const { kv } = this.ctx.storage;
    const hasWork = this.#store.failures().length > 0 || this.#store.deployments().length > 0;
    const times = [
      failed ? now + AGAIN_MS : hasWork ? now + GATHER_MS : null,
      kv.get<boolean>("watchesQueues") ? (kv.get<number>("queuesAt") ?? now) : null,
      this.#store.nextDeliveryAt(),
      this.#store.nextBuildAt(),
    ].filter((time) => time !== null);
    if (times.length > 0) await this.#wakeAt(Math.max(now, Math.min(...times)));
  }

  /** Finds the builds that did not end in time. */
  async #lookAtBuilds(): Promise<void> {
    const repository = openRepository(this.env);
    for (const id of this.#store.dueBuilds(Date.now())) {
      const found = await repository.findDeployment(id);
      const isLate = found?.environmentKey === this.#environmentKey && deploymentState(found) === "TIMED_OUT";
      const error = `The build did not end within ${BUILD_DEADLINE_MS / 60_000} minutes.`;
      this.#store.buildSeen(id, isLate ? { id, version: found.version, error, at: Date.now() } : null);
    }
  }

  /** Creates the notices that the rules require. */
  async #evaluate(): Promise<void> {
    const { kv } = this.ctx.storage;
    const now = Date.now();
    const failures = this.#store.failures();
    const deployments = this.#store.deployments();
    const looksAtQueues =
      (kv.get<boolean>("watchesQueues") ?? false) && (kv.get<number>("queuesAt") ?? 0) <= now;
    if (failures.length === 0 && deployments.length === 0 && !looksAtQueues) return;
    const connection = openSql(this.env);
    const key = this.#environmentKey;
    const [environment, rules, channels] = await Promise.all([
      openRepository(this.env).findEnvironmentByKey(key),
      selectRules(connection, key),
      selectChannels(connection, key),
    ]);
    this.#learn(rules);
    if (environment) {
      const enabled = rules.filter(({ rule }) => rule.enabled);
      const facts = { failures, deployments, looksAtQueues, now };
      const candidates = await candidatesOf(this.env, connection, environment, enabled, facts);
      for (const candidate of candidates) await this.#give(candidate, channels, now);
    }
    if (looksAtQueues) kv.put("queuesAt", now + QUEUES_EVERY_MS);
    const last = failures.at(-1);
    if (last) this.#store.forgetFailures(last.number);
    for (const { id } of deployments) this.#store.deploymentDone(id);
  }

  /** Creates at most one notice per rule, subject and interval. */
  async #give({ row, subject, once, write }: Candidate, channels: ChannelRow[], now: number): Promise<void> {
    const noticedAt = this.#store.noticedAt(row.id, subject);
    if (noticedAt !== null && (once || now < noticedAt + row.rule.intervalMinutes * 60_000)) return;
    if (this.#store.pending() >= MOST_PENDING) {
      log.error("Too many alerts wait to be delivered: no more are added", {
        environment: this.#environmentKey,
        most: MOST_PENDING,
      });
      return;
    }
    const notice = await write();
    if (!notice) return;
    const wanted = channels.filter(({ id }) => row.rule.channels.includes(id));
    const connection = openSql(this.env);
    const deliveries = await Promise.all(
      wanted.map(async (channel) =>
        deliveriesTo(channel, await openChannel(this.env, connection, channel), row.id, notice),
      ),
    );
    this.#store.give(row.id, subject, deliveries.flat(), now);
  }

  async #deliver(): Promise<void> {
    const due = this.#store.begin(Date.now(), AT_ONCE);
    if (due.length === 0) return;
    const connection = openSql(this.env);
    const channels = new Map(
      (await selectChannels(connection, this.#environmentKey)).map((channel) => [channel.id, channel]),
    );
    await Promise.all(
      due.map(async (delivery) => {
        const channel = channels.get(delivery.channelId);
        const sent = channel
          ? await this.#send(channel, delivery)
          : { ok: false, status: null, error: "The channel was deleted.", final: true };
        this.#store.end(delivery.number, delivery.attempts, sent, Date.now());
      }),
    );
  }

  async #send(channel: ChannelRow, delivery: DueDelivery) {
    const destination = await openChannel(this.env, openSql(this.env), channel);
    return send(this.env, destination, delivery);
  }
}

/**
 * Creates a delivery for each address of the channel: a refused address must not cause the others to get
 * their mail twice.
 */
const deliveriesTo = (
  channel: ChannelRow,
  destination: Destination,
  ruleId: string | null,
  notice: Notice,
): NewDelivery[] =>
  (destination.type === "email" ? destination.addresses : [channel.target]).map((target) => ({
    id: newId("msg"),
    ruleId,
    channelId: channel.id,
    channelName: channel.name,
    target,
    notice,
  }));
