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
  /** The queue was given an interest in the run with it: it sends what changes from then on. */
  isWanted: boolean;
}

/** Characters of payloads and the like that are kept of runs read lately. */
const MAX_KEPT = 8 * 1024 * 1024;

type Listen = (queueKey: string, interest: LiveInterest, runIds: string[]) => Promise<RunRecord[]>;

/**
 * Reads runs from their owners, whole. However many ask for the same state of a run, its owner is asked once: a run that
 * was read is kept until a later state of it is known of.
 */
export class RunReader {
  readonly #listen: Listen;
  readonly #interest: Interest;
  readonly #latest: LatestRuns;
  readonly #reading = new Map<string, Reading>();
  /** Read lately, in the order of reading. Only of runs whose changes are heard of. */
  readonly #kept = new Map<string, RunRecord>();
  #keptSize = 0;

  constructor(listen: Listen, interest: Interest, latest: LatestRuns) {
    this.#listen = listen;
    this.#interest = interest;
    this.#latest = latest;
  }

  /** Reads a run from its owner, as it is now or later. Concurrent callers share one call. Null: no such run. */
  async one(runId: string): Promise<RunRecord | null> {
    const run = await (this.#shared(runId) ?? this.#readOnce(runId));
    const known = this.#latest.get(runId);
    // A change may have overtaken the answer.
    if (run && known && known.version > run.version) return this.#readOnce(runId);
    return run;
  }

  /** Runs in a state that is no older than the latest one known. `failed`: those whose owner could not be reached. */
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
        console.error(
          `Queue ${queueKey} could not be asked for runs that are watched; it is asked again`,
          error,
        );
        for (const runId of part) failed.add(runId);
      }
    });
    await Promise.all(joined);
    return { found, failed };
  }

  /** Gives a queue the interest that there is in it, and reads runs of it. */
  async listen(queueKey: string, runIds: string[]): Promise<RunRecord[]> {
    const interest = this.#interest.of(queueKey);
    const records = await this.#listen(queueKey, interest, runIds);
    this.#interest.given(queueKey, interest);
    for (const run of records) this.#keep(run);
    return records;
  }

  /** The read that is under way, unless the queue would not learn from it that somebody wants the run's changes by now. */
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

  /** While it is under way, others that want one of these runs wait for the same call. */
  async #readPart(queueKey: string, runIds: string[]): Promise<RunRecord[]> {
    const wanted = new Set(runIds.filter((runId) => this.#interest.wants(runId)));
    const call = this.listen(queueKey, runIds);
    const byId = call.then((runs) => new Map(runs.map((run) => [run.id, run])));
    for (const runId of runIds) {
      const run = byId.then((runs) => runs.get(runId) ?? null);
      // Whoever made the call hears of its failure.
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

/** Characters of what is large in a run, and some for the rest. */
export const sizeOf = (run: RunRecord): number =>
  1_000 + (run.payload?.length ?? 0) + (run.output?.length ?? 0) + (run.metadata?.length ?? 0);
