import { isFinal } from "@acme/sdk/contract";
import { LIVE_LIMITS, type LiveTarget } from "@acme/sdk/contract/live";
import { log } from "../lib/log.ts";
import type { RunRecord } from "../rpc.ts";
import { mayReadRun, notAllowed } from "./access.ts";
import type { Connection, ListGroup, Subscription } from "./connection.ts";
import type { Delivery } from "./delivery.ts";
import { type HubHost, RETRY_MS } from "./hub-host.ts";
import { sleep } from "./in-parallel.ts";
import { queueOf } from "./interest.ts";
import type { LatestRuns } from "./latest-runs.ts";
import { logsText, type MessageTexts } from "./message-texts.ts";
import type { RunLists } from "./run-lists.ts";
import type { RunReader } from "./run-reader.ts";
import type { SilentQueues } from "./silent-queues.ts";
import type { Streams } from "./streams.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** How long a snapshot is reused for other subscriptions. */
const SHARED_MS = 1_000;

interface Parts {
  host: HubHost;
  latest: LatestRuns;
  reader: RunReader;
  lists: RunLists;
  texts: MessageTexts;
  queues: SilentQueues;
  subscriptions: Subscriptions;
  delivery: Delivery;
  streams: Streams;
}

/**
 * Moves subscriptions from starting to active: it reads and sends their first state. A lagging subscription
 * whose client has room again gets the changes that it missed, or starts again with a new first state.
 */
export class FirstStates {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Sends the first state of a subscription. It repeats a failed read until the subscription is over.
   * `resume`: from the position that the client named.
   */
  async begin(subscription: Subscription, resume: boolean): Promise<void> {
    while (!subscription.over) {
      try {
        await this.#start(subscription, resume);
        return;
      } catch (error) {
        log.error("A live subscription could not read its first state; it is tried again", { error });
        await sleep(RETRY_MS);
      }
    }
  }

  /** Starts all active lists again: their snapshots may lack changes. */
  resync(): void {
    for (const group of this.#parts.subscriptions.groups.values()) {
      for (const subscription of group.subscriptions) {
        if (!subscription.active) continue;
        subscription.active = false;
        this.#parts.host.keepAlive(this.begin(subscription, false));
      }
    }
  }

  /** Sends a client that lagged the latest state of everything it missed. */
  catchUp(connection: Connection): void {
    for (const subscription of connection.subscriptions.values()) {
      if (!subscription.active || subscription.missed === null) continue;
      if (!connection.hasRoom || connection.held || connection.expiredSince !== null) return;
      this.#parts.host.keepAlive(this.#sendMissed(subscription, take(subscription) ?? "all"));
    }
    connection.caughtUp();
  }

  async #start(subscription: Subscription, resume: boolean): Promise<void> {
    const { target } = subscription;
    switch (target.kind) {
      case "run":
        return this.#startRun(subscription, target.runId, resume ? target.position : undefined);
      case "runs":
      case "batch":
        return this.#startList(subscription, target.limit, resume ? target.position : undefined);
      case "environment":
        return this.#startEnvironment(subscription);
      case "logs":
        return this.#startLogs(subscription, target.runId, target.after ?? 0);
      case "stream":
        return this.#startStream(subscription, target);
    }
  }

  async #startRun(subscription: Subscription, runId: string, position = -1): Promise<void> {
    const run = await this.#readable(subscription, runId);
    if (!run || subscription.over) return;
    subscription.active = true;
    subscription.missed = null;
    const { delivery, texts } = this.#parts;
    if (run.version > position) delivery.send(subscription, "run", texts.run(run, true, subscription.skip));
  }

  /** Returns the run if it exists and the client may read it; ends the subscription otherwise. */
  async #readable(subscription: Subscription, runId: string): Promise<RunRecord | null> {
    const { host, reader, subscriptions } = this.#parts;
    const run = queueOf(runId).startsWith(host.environmentKey) ? await reader.one(runId) : null;
    if (!run) {
      subscriptions.end(subscription, {
        status: 404,
        code: "run_not_found",
        message: `Run ${runId} was not found in this environment.`,
      });
      return null;
    }
    const { principal } = subscription.connection;
    if (mayReadRun(principal, run)) return run;
    subscriptions.end(subscription, notAllowed(principal.scopes ?? [], `read:runs:${runId}`).error);
    return null;
  }

  async #startList(
    subscription: Subscription,
    limit: number = LIVE_LIMITS.defaultSnapshotRuns,
    position?: string,
  ): Promise<void> {
    const { host, queues, lists, latest, texts, delivery } = this.#parts;
    const group = subscription.group as ListGroup;
    await queues.open();
    const since = lists.changesSince(position);
    if (since) {
      if (subscription.over) return;
      // From here on, changes are noted, and sent after this state.
      subscription.missed = new Set();
      // The client still shows what it was sent earlier.
      group.shown?.forget(host.now());
      const text = await texts.missed(group, since, latest.seq);
      if (text) delivery.send(subscription, "changes", text);
    } else {
      const text = await this.#snapshot(group, limit, () => {
        subscription.missed = new Set();
      });
      delivery.send(subscription, "snapshot", text);
    }
    if (subscription.over) return;
    subscription.active = true;
    const missed = take(subscription);
    if (missed === "all" || (missed && missed.size > 0)) await this.#sendMissed(subscription, missed);
  }

  /**
   * Returns the runs of a list. Subscriptions that begin while nothing changes get the same text. `taken` is
   * called when the contents of the snapshot are fixed; later changes are not in it.
   */
  async #snapshot(group: ListGroup, limit: number, taken: () => void): Promise<string> {
    const { host, lists, latest, texts } = this.#parts;
    const { snapshot } = group;
    if (snapshot?.seq === latest.seq && snapshot.limit === limit && host.now() - snapshot.at < SHARED_MS) {
      taken();
      return snapshot.text;
    }
    const listed = await lists.listed(group.compiled, limit);
    taken();
    const { seq } = latest;
    const { rows, cut } = lists.overlaid(group.compiled, listed.runs, limit);
    const text = texts.snapshot(group, rows, listed.more || cut, seq);
    group.snapshot = { seq, limit, at: host.now(), text };
    text.catch(() => {
      group.snapshot = null;
    });
    return text;
  }

  async #startEnvironment(subscription: Subscription): Promise<void> {
    await this.#parts.queues.open();
    const environment = await this.#parts.host.environment();
    if (subscription.over) return;
    subscription.active = true;
    this.#parts.delivery.send(subscription, "environment", `,"environment":${JSON.stringify(environment)}}`);
  }

  async #startLogs(subscription: Subscription, runId: string, after: number): Promise<void> {
    if (!(await this.#readable(subscription, runId))) return;
    const { host, delivery } = this.#parts;
    let from = after;
    for (;;) {
      subscription.missed = null;
      const { previous, lines, more } = await host.watchLogs(runId, from, LIVE_LIMITS.logLines);
      if (subscription.over) return;
      // Sent even without lines: the client then knows where later lines begin.
      delivery.send(subscription, "logs", logsText(previous, lines));
      from = lines.at(-1)?.seq ?? previous;
      // A line that arrived meanwhile was not sent, so it is read.
      if (!more && subscription.missed === null) break;
    }
    subscription.active = true;
  }

  async #startStream(
    subscription: Subscription,
    target: Extract<LiveTarget, { kind: "stream" }>,
  ): Promise<void> {
    const run = await this.#readable(subscription, target.runId);
    if (run && !subscription.over) await this.#parts.streams.start(subscription, target, isFinal(run.status));
  }

  async #sendMissed(subscription: Subscription, missed: Set<string> | "all"): Promise<void> {
    const { streams } = this.#parts;
    const { target, group } = subscription;
    if (target.kind === "stream") return streams.proceed(subscription);
    if (target.kind === "logs") return this.#showGap(subscription, target.runId);
    if (group && missed !== "all" && (await this.#sendChanges(subscription, group, missed))) return;
    subscription.active = false;
    await this.begin(subscription, false);
    subscription.connection.caughtUp();
  }

  /** Sends the client of a log the number of its last line: if the client lacks lines, it requests them. */
  async #showGap(subscription: Subscription, runId: string): Promise<void> {
    const { host, delivery } = this.#parts;
    let last = subscription.skippedTo;
    while (last === null && !subscription.over) {
      try {
        last = await host.lastLine(runId);
      } catch (error) {
        log.error("The end of a log that is watched could not be read; it is read again", { error });
        await sleep(RETRY_MS);
      }
    }
    delivery.send(subscription, "logs", logsText(last ?? 0, []));
  }

  /**
   * Sends changes that a subscription missed. Returns false if that is not possible and it needs a snapshot.
   */
  async #sendChanges(subscription: Subscription, group: ListGroup, missed: Set<string>): Promise<boolean> {
    const { latest, texts, delivery } = this.#parts;
    let left: Subscription["missed"] = missed;
    while (left !== null && left !== "all" && left.size > 0) {
      const rows = [...left].map((runId) => latest.get(runId));
      const known = rows.filter((row) => row !== undefined);
      if (known.length < rows.length) return false;
      // Changes during the read are sent after it: a client would interpret an earlier state as the run's
      // return to the list.
      subscription.missed = new Set();
      try {
        const text = await texts.missed(group, known, group.position);
        if (text) delivery.send(subscription, "changes", text);
      } catch (error) {
        log.error("Changes that a client missed could not be read; it gets a snapshot", { error });
        return false;
      }
      left = take(subscription);
    }
    subscription.connection.caughtUp();
    return left !== "all";
  }
}

function take(subscription: Subscription): Subscription["missed"] {
  const { missed } = subscription;
  subscription.missed = null;
  return missed;
}
