import { isFinal } from "@acme/sdk/contract";
import { LIVE_LIMITS, type LiveTarget } from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import { log } from "../lib/log.ts";
import type { StreamProgress, Subscription } from "./connection.ts";
import type { Delivery } from "./delivery.ts";
import { type HubHost, RETRY_MS } from "./hub-host.ts";
import { sleep } from "./in-parallel.ts";
import { streamText } from "./message-texts.ts";
import type { RunReader } from "./run-reader.ts";
import type { Subscriptions } from "./subscriptions.ts";

type StreamTarget = Extract<LiveTarget, { kind: "stream" }>;

/**
 * Sends the records of streams to their subscriptions. A subscription that has all records gets new ones as
 * the feed sends them. A lagging one, whose window is full, is sent nothing; its records are read from the
 * feed when its client has handled some, so records for slow readers stay in the feed.
 */
export class Streams {
  readonly #host: HubHost;
  readonly #reader: RunReader;
  readonly #subscriptions: Subscriptions;
  readonly #delivery: Delivery;

  constructor(host: HubHost, reader: RunReader, subscriptions: Subscriptions, delivery: Delivery) {
    this.#host = host;
    this.#reader = reader;
    this.#subscriptions = subscriptions;
    this.#delivery = delivery;
  }

  /** Begins a subscription. Its first message has no records and says where it begins. */
  async start(subscription: Subscription, target: StreamTarget, runOver: boolean): Promise<void> {
    const progress = progressOf(subscription);
    const last = await this.#host.watchStream(target.runId, target.key);
    if (subscription.over) return;
    const first = target.from === "latest" ? Math.max(-1, last - 1) : -1;
    progress.sent = target.after ?? first;
    progress.runOver ||= runOver;
    subscription.missed = null;
    this.#delivery.send(subscription, "stream", streamText(progress.sent, [], false));
    subscription.active = true;
    await this.proceed(subscription);
  }

  /** See `LiveRpc`. */
  appended(runId: string, key: string, previous: number, records: StreamRecord[]): boolean {
    const subscriptions = [...(this.#subscriptions.ofStreams(runId) ?? [])].filter(
      ({ target }) => target.kind === "stream" && target.key === key,
    );
    for (const subscription of subscriptions) {
      if (!subscription.active) continue;
      const progress = progressOf(subscription);
      const { sent, reading } = progress;
      // If the object has hibernated, only the client knows whether it has the records before these.
      const isNext = sent === null || (sent === previous && records.length > 0);
      if (isNext && !reading && hasRoom(subscription)) this.#send(subscription, previous, records);
      else this.#host.keepAlive(this.proceed(subscription));
    }
    return subscriptions.length > 0;
  }

  /** Ends the subscriptions to the streams of a run when all records are sent. */
  runOver(runId: string): void {
    for (const subscription of this.#subscriptions.ofStreams(runId) ?? []) {
      progressOf(subscription).runOver = true;
      if (subscription.active) this.#host.keepAlive(this.proceed(subscription));
    }
  }

  /** Records that the client of a subscription has handled the records up to `seq`. */
  handled(subscription: Subscription | undefined, seq: number): void {
    if (!subscription?.progress) return;
    const { progress } = subscription;
    progress.unhandled = progress.unhandled.filter((sent) => sent > seq);
    progress.sent ??= seq;
    if (subscription.active) this.#host.keepAlive(this.proceed(subscription));
  }

  /** Reads and sends what a subscription lacks, as far as its client has room. */
  async proceed(subscription: Subscription): Promise<void> {
    const progress = progressOf(subscription);
    progress.again = true;
    if (progress.reading) return;
    progress.reading = true;
    try {
      while (progress.again && !subscription.over && hasRoom(subscription)) {
        progress.again = false;
        await this.#readNext(subscription, progress);
      }
    } finally {
      progress.reading = false;
    }
  }

  async #readNext(subscription: Subscription, progress: StreamProgress): Promise<void> {
    const { runId, key } = subscription.target as StreamTarget;
    const after = progress.sent;
    try {
      // Checked before the records are read, so that everything written before the end is among them.
      const runOver = progress.runOver ?? (await this.#isOver(runId));
      progress.runOver ??= runOver;
      if (after === null) {
        const last = await this.#host.watchStream(runId, key);
        // The client detects a gap if it lacks any, and requests the missing records.
        if (!subscription.over) this.#send(subscription, last, [], runOver);
        return;
      }
      const records = await this.#host.readStream(runId, key, after);
      if (subscription.over || (records.length === 0 && !runOver)) return;
      if (this.#send(subscription, after, records, records.length === 0)) progress.again = true;
    } catch (error) {
      log.error("A stream that is watched could not be read; it is read again", { error });
      progress.again = true;
      await sleep(RETRY_MS);
    }
  }

  async #isOver(runId: string): Promise<boolean> {
    const run = await this.#reader.one(runId);
    return !run || isFinal(run.status);
  }

  /**
   * Returns false if the client's connection lags or its token has expired. The records are read again later.
   */
  #send(subscription: Subscription, previous: number, records: StreamRecord[], end = false): boolean {
    const text = streamText(previous, records, end);
    if (!this.#delivery.deliver(subscription, "stream", text, null)) return false;
    const progress = progressOf(subscription);
    progress.sent = records.at(-1)?.seq ?? previous;
    if (records.length > 0) progress.unhandled.push(progress.sent);
    if (end) this.#subscriptions.remove(subscription.connection, subscription.id);
    return true;
  }
}

const hasRoom = (subscription: Subscription): boolean =>
  subscription.missed === null && progressOf(subscription).unhandled.length < LIVE_LIMITS.streamWindow;

function progressOf({ progress }: Subscription): StreamProgress {
  if (!progress) throw new Error("This is not a subscription to a stream");
  return progress;
}
