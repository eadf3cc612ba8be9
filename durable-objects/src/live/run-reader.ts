import { log } from "../lib/log.ts";
import type { RunRecord } from "../rpc.ts";
import { chunks, inParallel } from "./in-parallel.ts";
import { type Interest, queueOf } from "./interest.ts";
import type { LatestRuns } from "./latest-runs.ts";
import type { LiveInterest } from "./rpc.ts";

/** Runs read in one call, and calls at the same time. */
const READ_AT_ONCE = 50;
const CALLS_AT_ONCE = 32;
interface Reading {
  run: Promise<RunRecord | null>;
  /** True: the read gave the queue an interest in the run, so the queue sends later changes. */
  isWanted: boolean;
}

/** The maximum number of characters of cached run data. */
const MAX_KEPT = 8 * 1024 * 1024;

type Listen = (queueKey: string, interest: LiveInterest, runIds: string[]) => Promise<RunRecord[]>;

/**
 * Reads complete runs from their owners. The owner is asked once for each state of a run, however many
 * callers request it: a run that was read is cached until a later state is known.
 */
export class RunReader {
  readonly #listen: Listen;
  readonly #interest: Interest;
  readonly #latest: LatestRuns;
  readonly #reading = new Map<string, Reading>();
  /** Cached runs, in the order of reading. Only runs whose changes this object receives. */
  readonly #kept = new Map<string, RunRecord>();
  #keptSize = 0;

  constructor(listen: Listen, interest: Interest, latest: LatestRuns) {
    this.#listen = listen;
    this.#interest = interest;
    this.#latest = latest;
  }

  /**
   * Reads the current or a later state of a run from its owner. Concurrent callers share one call. Returns
   * null if there is no such run.
   */
  async one(runId: string): Promise<RunRecord | null> {
    const run = await (this.#shared(runId) ?? this.#readOnce(runId));
    const known = this.#latest.get(runId);
    // A change may have overtaken the answer.
    if (run && known && known.version > run.version) return this.#readOnce(runId);
    return run;
  }

  /**
   * Returns runs in a state that is no older than the latest known one. `failed`: runs whose owner could not
   * be reached.
   */
  async many(runIds: string[]): Promise<{ found: Map<string, RunRecord>; failed: Set<string> }> {
    const found = new Map<string, RunRecord>();
    const failed = new Set<string>();
    const byQueue = new Map<string, string[]>();
    const joined: Promise<unknown>[] = [];
    for (const runId of new Set(runIds)) {
      const kept = this.#current(runId);
      const reading = this.#shared(runId);
      if (kept) found.set(runId, kept);
      else if (reading) {
        joined.push(
          this.one(runId).then(
            (run) => run && found.set(runId, run),
            () => failed.add(runId),
          ),
        );
      } else byQueue.set(queueOf(runId), [...(byQueue.get(queueOf(runId)) ?? []), runId]);
    }
    const calls = [...byQueue].flatMap(([queueKey, ids]) =>
      chunks(ids, READ_AT_ONCE).map((part) => ({ queueKey, part })),
    );
    await inParallel(calls, CALLS_AT_ONCE, async ({ queueKey, part }) => {
      try {
        for (const run of await this.#readPart(queueKey, part)) found.set(run.id, run);
      } catch (error) {
        log.error("A queue could not be asked for runs that are watched; it is asked again", {
          queue: queueKey,
          error,
        });
        for (const runId of part) failed.add(runId);
      }
    });
    await Promise.all(joined);
    return { found, failed };
  }

  /** Gives a queue the current interest, and reads runs of it. */
  async listen(queueKey: string, runIds: string[]): Promise<RunRecord[]> {
    const interest = this.#interest.of(queueKey);
    const records = await this.#listen(queueKey, interest, runIds);
    this.#interest.given(queueKey, interest);
    for (const run of records) this.#keep(run);
    return records;
  }

  /**
   * Returns the read in progress, unless that read does not give the queue an interest that has been added
   * since.
   */
  #shared(runId: string): Promise<RunRecord | null> | undefined {
    const reading = this.#reading.get(runId);
    return reading && (reading.isWanted || !this.#interest.wants(runId)) ? reading.run : undefined;
  }

  #readOnce(runId: string): Promise<RunRecord | null> {
    const isWanted = this.#interest.wants(runId);
    const run = this.listen(queueOf(runId), [runId])
      .then(([found]) => found ?? null)
      .finally(() => {
        if (this.#reading.get(runId) === reading) this.#reading.delete(runId);
      });
    const reading = { run, isWanted };
    this.#reading.set(runId, reading);
    return run;
  }

  /** Until it is finished, other readers of one of these runs wait for the same call. */
  async #readPart(queueKey: string, runIds: string[]): Promise<RunRecord[]> {
    const wanted = new Set(runIds.filter((runId) => this.#interest.wants(runId)));
    const call = this.listen(queueKey, runIds);
    const byId = call.then((runs) => new Map(runs.map((run) => [run.id, run])));
    for (const runId of runIds) {
      const run = byId.then((runs) => runs.get(runId) ?? null);
      // The caller handles the failure.
      run.catch(() => {});
      const reading = { run, isWanted: wanted.has(runId) };
      this.#reading.set(runId, reading);
      void byId
        .catch(() => {})
        .finally(() => {
          if (this.#reading.get(runId) === reading) this.#reading.delete(runId);
        });
    }
    return call;
  }

  #current(runId: string): RunRecord | undefined {
    const kept = this.#kept.get(runId);
    const latest = this.#latest.get(runId);
    return kept && latest && kept.version >= latest.version && this.#interest.needsAll ? kept : undefined;
  }

  #keep(run: RunRecord): void {
    this.#drop(run.id);
    this.#kept.set(run.id, run);
    this.#keptSize += sizeOf(run);
    for (const id of this.#kept.keys()) {
      if (this.#keptSize <= MAX_KEPT) break;
      this.#drop(id);
    }
  }

  #drop(runId: string): void {
    const run = this.#kept.get(runId);
    if (!run) return;
    this.#kept.delete(runId);
    this.#keptSize -= sizeOf(run);
  }
}

/** Returns the approximate size of a run: the characters of its large fields, and a constant for the rest. */
export const sizeOf = (run: RunRecord): number =>
  1_000 + (run.payload?.length ?? 0) + (run.output?.length ?? 0) + (run.metadata?.length ?? 0);
