import type { RunRow } from "../rpc.ts";
import type { Subscription } from "./connection.ts";
import type { Delivery } from "./delivery.ts";
import type { EnvironmentCounts } from "./environment-counts.ts";
import { type HubHost, RETRY_MS } from "./hub-host.ts";
import { sleep } from "./in-parallel.ts";
import type { LatestRuns } from "./latest-runs.ts";
import type { MessageTexts } from "./message-texts.ts";
import type { RunReader } from "./run-reader.ts";
import type { Subscriptions } from "./subscriptions.ts";

/**
 * Changes within a short interval are sent together. The more the last broadcast sent to all watchers, the
 * longer the interval. Only the latest state of each run is sent, so the cost of watchers per second is
 * bounded, whatever changes.
 */
const GATHER_MS = 10;
const CHARACTERS_A_MS = 64 * 1024;
const MAX_GATHER_MS = 1_000;

interface Parts {
  host: HubHost;
  latest: LatestRuns;
  reader: RunReader;
  texts: MessageTexts;
  subscriptions: Subscriptions;
  delivery: Delivery;
  counts: EnvironmentCounts;
}

/**
 * Sends changed runs to the subscriptions that they concern. It is idle or broadcasting. While broadcasting,
 * it gathers changes for an interval, sends them, and repeats that until no change is pending.
 */
export class Broadcast {
  readonly #parts: Parts;
  /** The latest state of each run that changed since the last broadcast. */
  #pending = new Map<string, RunRow>();
  #broadcasting = false;
  /** The earliest start of the next broadcast. */
  #nextAt = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Adds a change to those that `soon` sends. */
  add(row: RunRow): void {
    this.#pending.set(row.id, row);
  }

  /** Sends the pending changes, if there are any, in the background. */
  soon(): void {
    if (this.#pending.size === 0 || this.#broadcasting) return;
    this.#broadcasting = true;
    this.#parts.host.keepAlive(this.#broadcastAll());
  }

  async #broadcastAll(): Promise<void> {
    try {
      while (this.#pending.size > 0) {
        const { host, delivery } = this.#parts;
        await sleep(Math.max(GATHER_MS, this.#nextAt - host.now()));
        const before = delivery.cost;
        const unread = await this.#broadcast();
        const pauseMs = Math.min(MAX_GATHER_MS, (delivery.cost - before) / CHARACTERS_A_MS);
        this.#nextAt = host.now() + pauseMs;
        if (unread) await sleep(RETRY_MS);
      }
    } finally {
      this.#broadcasting = false;
    }
  }

  /**
   * Sends the pending changes. Returns true if some run could not be read; it is sent with a later broadcast.
   */
  async #broadcast(): Promise<boolean> {
    const { latest, reader, texts, subscriptions, delivery, counts } = this.#parts;
    const changes = [...this.#pending.values()];
    const seq = latest.seq;
    this.#pending = new Map();
    if (subscriptions.environments.size > 0) counts.soon();
    const watched = changes.filter(({ id }) => subscriptions.ofRun(id)).map(({ id }) => id);
    const records = await reader.many([...watched, ...this.#needData(changes)]);
    const unread = changes.filter(({ id }) => records.failed.has(id));
    for (const row of unread) if (!this.#pending.has(row.id)) this.#pending.set(row.id, row);
    for (const runId of watched) {
      const run = records.found.get(runId);
      if (!run) continue;
      const bySkip = new Map<string, string>();
      for (const subscription of subscriptions.ofRun(runId) ?? []) {
        if (!subscription.active) continue;
        const { skip } = subscription;
        const rest = bySkip.get(skip.key) ?? texts.run(run, false, skip);
        bySkip.set(skip.key, rest);
        delivery.deliver(subscription, "run", rest, null);
      }
    }
    for (const group of subscriptions.groups.values()) {
      if (group.subscriptions.size === 0) continue;
      const readable = group.data ? changes.filter(({ id }) => !records.failed.has(id)) : changes;
      if (readable.length === changes.length) group.position = seq;
      const sent = texts.changes(group, readable, group.position, records.found);
      if (!sent) continue;
      const ids = [...sent.runs, ...sent.removed];
      for (const subscription of group.subscriptions) {
        if (subscription.active) delivery.deliver(subscription, "changes", sent.text, ids);
        // The subscription's first state is being read and may not include these changes.
        else note(subscription, ids);
      }
    }
    return unread.length > 0;
  }

  /** Returns the changed runs that some list sends with their data. */
  #needData(changes: RunRow[]): string[] {
    const groups = [...this.#parts.subscriptions.groups.values()].filter(({ data }) => data);
    if (groups.length === 0) return [];
    return changes.filter((row) => groups.some(({ compiled }) => compiled.matches(row))).map(({ id }) => id);
  }
}

function note({ missed }: Subscription, runIds: string[]): void {
  if (missed !== null && missed !== "all") for (const runId of runIds) missed.add(runId);
}
