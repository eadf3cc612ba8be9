import { isFinal } from "@acme/sdk/contract";
import {
  LIVE_CLOSE,
  LIVE_LIMITS,
  LIVE_PROTOCOL,
  type LiveFilter,
  type LiveLogLine,
  type LiveTarget,
} from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import type { RunRecord, RunRow } from "../rpc.ts";
import { mayWatch } from "./access.ts";
import { Broadcast } from "./broadcast.ts";
import { ChangeSignals } from "./change-signals.ts";
import { parseClientMessage } from "./client-message.ts";
import { Connection, type LiveSocket, type Outstanding, type SavedConnection, WINDOW } from "./connection.ts";
import { Delivery } from "./delivery.ts";
import { EnvironmentCounts } from "./environment-counts.ts";
import { FirstStates } from "./first-states.ts";
import type { HubHost } from "./hub-host.ts";
import type { Interest } from "./interest.ts";
import { LatestRuns } from "./latest-runs.ts";
import { LongPolls } from "./long-polls.ts";
import { logsText, MessageTexts } from "./message-texts.ts";
import type { LiveInterest, LivePrincipal, RunsPage } from "./rpc.ts";
import { RunLists } from "./run-lists.ts";
import { RunReader } from "./run-reader.ts";
import { SilentQueues } from "./silent-queues.ts";
import { Streams } from "./streams.ts";
import { refuse, Subscriptions } from "./subscriptions.ts";

/**
 * The live side of one environment: connections, their subscriptions, and the latest state of each run that
 * changed. It receives changes from the queues that it gave an interest, keeps the newest state of each run,
 * and sends it to the subscribers. A received change is a hint: the state that is sent is read from the owner
 * or the query side.
 *
 * A connection is open from `connect` or `restore` until `closed`. `Delivery` names the states of an open connection,
 * `Subscriptions` those of a subscription.
 */
export class LiveHub {
  readonly #host: HubHost;
  readonly #interest: Interest;
  readonly #latest = new LatestRuns();
  readonly #connections = new Map<LiveSocket, Connection>();
  readonly #outstanding: Outstanding = { characters: 0 };
  readonly #signals = new ChangeSignals();
  readonly #subscriptions: Subscriptions;
  readonly #delivery: Delivery;
  readonly #states: FirstStates;
  readonly #broadcast: Broadcast;
  readonly #polls: LongPolls;
  readonly #streams: Streams;

  constructor(host: HubHost, interest: Interest) {
    const latest = this.#latest;
    const reader = new RunReader(host.listen, interest, latest);
    const texts = new MessageTexts(host, reader);
    const lists = new RunLists(host, latest);
    const queues = new SilentQueues(host, interest, reader, () => this.#states.resync());
    const subscriptions = new Subscriptions(interest, latest);
    const delivery = new Delivery(host, {
      disconnect: (connection, code, reason) => this.#disconnect(connection, code, reason),
      catchUp: (connection) => this.#states.catchUp(connection),
    });
    const counts = new EnvironmentCounts(host, subscriptions, delivery);
    const streams = new Streams(host, reader, subscriptions, delivery);
    interest.onSilence((queueKey) => latest.silent(queueKey));
    this.#host = host;
    this.#interest = interest;
    this.#subscriptions = subscriptions;
    this.#delivery = delivery;
    this.#streams = streams;
    this.#states = new FirstStates({
      host,
      latest,
      reader,
      lists,
      texts,
      queues,
      subscriptions,
      delivery,
      streams,
    });
    this.#broadcast = new Broadcast({
      host,
      latest,
      reader,
      texts,
      subscriptions,
      delivery,
      counts,
    });
    this.#polls = new LongPolls({ host, interest, latest, reader, lists, queues, signals: this.#signals });
  }

  connect(socket: LiveSocket, principal: LivePrincipal): void {
    const connection = new Connection(socket, principal, this.#host.now(), this.#outstanding);
    this.#connections.set(socket, connection);
    connection.save();
    connection.send({
      type: "welcome",
      protocol: LIVE_PROTOCOL,
      environment: { id: principal.environment.id, slug: principal.environment.slug },
      window: WINDOW,
      ...expiry(principal),
    });
  }

  /**
   * Restores a connection from before this object hibernated. Its client has everything that was sent, and
   * gets changes from now on.
   */
  restore(socket: LiveSocket, saved: SavedConnection): void {
    const connection = new Connection(socket, saved.principal, this.#host.now(), this.#outstanding);
    this.#connections.set(socket, connection);
    for (const [id, target] of saved.subscriptions) {
      const subscription = this.#subscriptions.add(connection, id, target);
      subscription.active = true;
      subscription.group?.shown?.forget(this.#host.now());
      if (saved.behind) subscription.missed = "all";
      if (subscription.progress) subscription.progress.runOver = null;
    }
    // The last check of the key or session may have been long ago.
    connection.held = true;
    this.#delivery.check(connection);
  }

  closed(socket: LiveSocket): void {
    const connection = this.#connections.get(socket);
    if (!connection) return;
    this.#connections.delete(socket);
    connection.closed();
    this.#subscriptions.removeAll(connection);
  }

  /** Handles a message of a client. */
  async message(socket: LiveSocket, text: string): Promise<void> {
    const connection = this.#connections.get(socket);
    if (!connection) return;
    const message = parseClientMessage(text);
    if ("error" in message) {
      connection.send({
        type: "error",
        ...(message.id === undefined ? {} : { id: message.id }),
        ...message.error,
      });
      return;
    }
    switch (message.type) {
      case "subscribe":
        return this.#subscribe(connection, message.id, message.target);
      case "unsubscribe":
        this.#subscriptions.remove(connection, message.id);
        return;
      case "auth":
        return this.#authenticate(connection, message.token);
      case "ack":
        connection.acknowledged(message.count);
        this.#states.catchUp(connection);
        return;
      case "handled":
        this.#streams.handled(connection.subscriptions.get(message.id), message.seq);
    }
  }

  /**
   * Returns people who have open connections, by session or access token: their membership is checked even if
   * nothing is sent to them.
   */
  get hasMembers(): boolean {
    for (const { principal } of this.#connections.values()) if (isMember(principal)) return true;
    return false;
  }

  checkMembers(): void {
    for (const connection of this.#connections.values())
      if (isMember(connection.principal)) this.#delivery.check(connection);
  }

  /** See `LiveRpc`. */
  runsChanged(queueKey: string, rows: RunRow[], life: string | null): LiveInterest {
    const now = this.#host.now();
    for (const row of life === this.#host.epoch ? rows : []) {
      if (!this.#latest.put(queueKey, row, now)) continue;
      this.#signals.changed(row);
      this.#broadcast.add(row);
      if (isFinal(row.status)) this.#streams.runOver(row.id);
    }
    this.#broadcast.soon();
    const interest = this.#interest.of(queueKey);
    this.#interest.given(queueKey, interest);
    return interest;
  }

  /** See `LiveRpc`. */
  logsAppended(runId: string, previous: number, lines: LiveLogLine[]): boolean {
    const subscriptions = this.#subscriptions.ofLogs(runId);
    if (!subscriptions) return false;
    const rest = logsText(previous, lines);
    for (const subscription of subscriptions) {
      const last = lines.at(-1)?.seq ?? previous;
      subscription.skippedTo = Math.max(subscription.skippedTo ?? 0, last);
      if (subscription.active) this.#delivery.deliver(subscription, "logs", rest, null);
      // The subscription is still reading its first lines, and reads these too.
      else subscription.missed = "all";
    }
    return true;
  }

  /** See `LiveRpc`. */
  streamAppended(runId: string, key: string, previous: number, records: StreamRecord[]): boolean {
    return this.#streams.appended(runId, key, previous, records);
  }

  /** See `LiveRpc`. */
  waitForRun(runId: string, after: number, waitMs: number): Promise<RunRecord | "missing" | null> {
    return this.#polls.waitForRun(runId, after, waitMs);
  }

  /** See `LiveRpc`. */
  waitForRuns(filter: LiveFilter, limit: number, position: string | null, waitMs: number): Promise<RunsPage> {
    return this.#polls.waitForRuns(filter, limit, position, waitMs);
  }

  async #subscribe(connection: Connection, id: string, target: LiveTarget): Promise<void> {
    this.#subscriptions.remove(connection, id, false);
    if (connection.isFlooded) {
      this.#disconnect(connection, LIVE_CLOSE.unavailable, "slow_reader");
      return;
    }
    if (connection.subscriptions.size >= LIVE_LIMITS.subscriptionsPerSocket) {
      refuse(connection, id, {
        status: 422,
        code: "too_many_subscriptions",
        message: `A connection has at most ${LIVE_LIMITS.subscriptionsPerSocket} subscriptions. Unsubscribe from some, or watch many runs with one filter.`,
      });
      return;
    }
    const refused = mayWatch(connection.principal, target);
    if (refused) {
      refuse(connection, id, refused.error);
      return;
    }
    const subscription = this.#subscriptions.add(connection, id, target);
    if (!connection.save()) {
      this.#subscriptions.end(subscription, {
        status: 422,
        code: "too_many_subscriptions",
        message:
          "The subscriptions of this connection have too many values in their filters. Unsubscribe from some, or use broader filters.",
      });
      return;
    }
    await this.#states.begin(subscription, true);
  }

  async #authenticate(connection: Connection, token: string): Promise<void> {
    const principal = await this.#host.authenticate(token);
    if ("error" in principal || principal.environment.key !== this.#host.environmentKey) {
      const error =
        "error" in principal
          ? principal.error
          : { status: 403, code: "other_environment", message: "This token is of another environment." };
      connection.send({ type: "error", ...error });
      this.#disconnect(connection, LIVE_CLOSE.unauthorized, error.code);
      return;
    }
    if (String(principal.skipColumns) !== String(connection.principal.skipColumns)) {
      // The client reconnects with its current token, which then decides what it sees.
      this.#disconnect(connection, LIVE_CLOSE.unavailable, "other_columns");
      return;
    }
    connection.principal = principal;
    connection.checkedAt = this.#host.now();
    connection.expiredSince = null;
    connection.send({ type: "authenticated", ...expiry(principal) });
    for (const subscription of [...connection.subscriptions.values()]) {
      const refused = mayWatch(principal, subscription.target);
      if (refused) this.#subscriptions.end(subscription, refused.error);
    }
    connection.save();
    this.#states.catchUp(connection);
  }

  #disconnect({ socket }: Connection, code: number, reason: string): void {
    socket.close(code, reason);
    this.closed(socket);
  }
}

const isMember = ({ proof }: LivePrincipal): boolean => /^(session|access-token) /.test(proof);

const expiry = ({ expiresAt }: LivePrincipal) => (expiresAt === null ? {} : { expiresAt });
