import { isDeepStrictEqual } from "node:util";
import type { FeedRpc, RunRecord } from "@acme/durable-objects/rpc";
import { type DequeuedRun, type LogEntry, RunStatus } from "@acme/sdk/contract";
import type { Scene } from "./scene.ts";

/** Keys of the streams that attempts write. */
export const STREAM_KEYS = ["words", "numbers"] as const;
/**
 * How often a feed dies right after it has answered. What it stored may then not have been sent to its
 * watchers.
 */
const DIES = 0.15;
/** The maximum number of batches of lines and of records that an attempt writes. */
const MOST_BATCHES = 6;

/** A line of a log: its number and text. */
export type SeenLine = [seq: number, message: string];
/** A record of a stream: its number and value. */
export type SeenRecord = [seq: number, chunk: unknown];

/**
 * Writes logs and streams for attempts, as their hosts and the Worker pass them on to the feeds of their
 * runs.
 */
export class Feeds {
  readonly #scene: Scene;
  readonly #runs = new Set<string>();
  /** Records that were stored when an attempt reported its success, by run, stream and lease. */
  readonly #stored = new Map<string, number>();
  /** Called when an attempt is about to write. */
  onWriter: (runId: string, keys: readonly string[]) => void = () => {};

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Runs that have written something. */
  get runs(): readonly string[] {
    return [...this.#runs];
  }

  /**
   * Writes the log lines and stream records of an attempt's code. `goesOn` returns whether the attempt still
   * runs.
   */
  async write(run: DequeuedRun, hostId: string, goesOn: () => boolean): Promise<void> {
    const { world } = this.#scene;
    if (world.chance(0.4)) return;
    this.#runs.add(run.runId);
    const streams = STREAM_KEYS.filter(() => world.chance(0.6));
    this.onWriter(run.runId, streams);
    await Promise.all([
      this.#log(run, `${hostId} ${run.token}`, goesOn),
      ...streams.map((key) => this.#stream(run, key, `${hostId}-${run.token}`, goesOn)),
    ]);
  }

  /** Called when an attempt is about to report its success: everything that it wrote is stored. */
  succeeds(run: DequeuedRun): void {
    for (const key of STREAM_KEYS)
      this.#stored.set(`${run.runId} ${key} ${run.token}`, this.records(run.runId, key).length);
  }

  /** Returns the difference from the log in the feed; null if there is none. */
  logDifference(runId: string, seen: readonly SeenLine[]): string | null {
    const lines = this.#read<SeenLine>(runId, "SELECT id, message FROM logs ORDER BY id");
    if (isDeepStrictEqual(seen, lines)) return null;
    return `the log of ${runId}: a listener has ${JSON.stringify(seen)}, and its feed ${JSON.stringify(lines)}`;
  }

  /**
   * Returns the difference from the stream in the feed; null if there is none. A stream that has ended for
   * its reader may have received more from attempts that had ended, but everything that was stored before the
   * run's success is in it.
   */
  streamDifference(
    owner: RunRecord | undefined,
    key: string,
    seen: readonly SeenRecord[],
    hasEnded: boolean,
  ): string | null {
    if (!owner) return `a stream is watched of a run that is not there`;
    const records = this.records(owner.id, key);
    const name = `stream ${key} of ${owner.id}`;
    const least = this.#stored.get(`${owner.id} ${key} ${owner.output}`) ?? 0;
    if (!hasEnded) return `${name}: a listener has not seen its end`;
    if (owner.status === RunStatus.COMPLETED_SUCCESSFULLY && seen.length < least)
      return `${name}: a listener has ${seen.length} of ${least} records that were stored before the run's end`;
    if (isDeepStrictEqual(seen, records.slice(0, seen.length))) return null;
    return `${name}: a listener has ${JSON.stringify(seen)}, and its feed ${JSON.stringify(records)}`;
  }

  records(runId: string, key: string): SeenRecord[] {
    const rows = this.#read<[number, string]>(
      runId,
      "SELECT seq, body FROM records WHERE stream = ? ORDER BY seq",
      key,
    );
    return rows.map(([seq, body]) => [seq, JSON.parse(body) as unknown]);
  }

  async #log(run: DequeuedRun, sender: string, goesOn: () => boolean): Promise<void> {
    const { world } = this.#scene;
    for (let number = 0; number < world.between(1, MOST_BATCHES) && goesOn(); number++) {
      const entries = Array.from(
        { length: world.between(1, 4) },
        (_, n): LogEntry => ({
          time: Date.now(),
          level: "info",
          message: `${sender}: line ${number}.${n}`,
        }),
      );
      await this.#persist(run.runId, goesOn, () =>
        this.#feed(run.runId).appendLogs(run.attempt, entries, { sender, number }),
      );
      await world.sleep(world.between(0, 3_000));
    }
  }

  /**
   * Lines that may have been stored are sent again, starting after the last one that is known to be stored.
   */
  async #stream(run: DequeuedRun, key: string, id: string, goesOn: () => boolean): Promise<void> {
    const { world } = this.#scene;
    let from = 0;
    for (let left = world.between(1, MOST_BATCHES); left > 0 && goesOn(); left--) {
      const records = Array.from({ length: world.between(1, 4) }, (_, n) =>
        JSON.stringify(`${id}: ${from + n}`),
      );
      const writer = { id, from };
      await this.#persist(run.runId, goesOn, () =>
        this.#feed(run.runId).appendRecords(key, { writer, records }),
      );
      from += records.length;
      await world.sleep(world.between(0, 3_000));
    }
  }

  /** Repeats a call until it is answered, or the attempt is over. */
  async #persist(runId: string, goesOn: () => boolean, call: () => Promise<unknown>): Promise<void> {
    while (goesOn()) {
      try {
        await call();
        const { world, platform } = this.#scene;
        if (platform.faults.crash > 0 && world.chance(DIES)) platform.crash(`FEED/run:${runId}`);
        return;
      } catch {
        await this.#scene.world.sleep(this.#scene.world.between(10, 1_000));
      }
    }
  }

  #feed = (runId: string): FeedRpc => this.#scene.platform.stub<FeedRpc>("FEED", `run:${runId}`);

  /** From the feed's database. */
  #read<T>(runId: string, query: string, ...values: string[]): T[] {
    const database = this.#scene.platform.databases("FEED").get(`run:${runId}`);
    const hasTables = database?.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'records'").get();
    if (!database || !hasTables) return [];
    return database
      .prepare(query)
      .all(...values)
      .map((row) => Object.values(row) as T);
  }
}
