import type { LiveFilter } from "@acme/sdk/contract/live";
import type { RunRecord, RunRow } from "../rpc.ts";
import type { ChangeSignals } from "./change-signals.ts";
import { compileFilter } from "./filter.ts";
import type { HubHost } from "./hub-host.ts";
import { sleep } from "./in-parallel.ts";
import { type Interest, queueOf } from "./interest.ts";
import type { LatestRuns } from "./latest-runs.ts";
import { SNAPSHOT_DATA } from "./message-texts.ts";
import type { RunsPage } from "./rpc.ts";
import type { RunLists } from "./run-lists.ts";
import { type RunReader, sizeOf } from "./run-reader.ts";
import type { SilentQueues } from "./silent-queues.ts";

/** A held poll of a list answers this long after the first change, with the other changes of that time. */
const LIST_GATHER_MS = 100;

interface Parts {
  host: HubHost;
  interest: Interest;
  latest: LatestRuns;
  reader: RunReader;
  lists: RunLists;
  queues: SilentQueues;
  signals: ChangeSignals;
}

/** Polls that are held until something changes. Each one holds an interest while it waits. */
export class LongPolls {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** See `LiveRpc`. */
  async waitForRun(runId: string, after: number, waitMs: number): Promise<RunRecord | "missing" | null> {
    const { host, interest, signals, reader } = this.#parts;
    if (!queueOf(runId).startsWith(host.environmentKey)) return "missing";
    const endAt = host.now() + waitMs;
    interest.addRun(runId);
    try {
      for (;;) {
        // Registered before the run is read, so that a change during the read is not missed.
        const change = signals.nextOfRun(runId, Math.max(0, endAt - host.now()));
        const run = await reader.one(runId);
        if (!run || run.version > after) {
          change.cancel();
          return run ?? "missing";
        }
        // A notice may have been lost, so the owner is asked once more at the end.
        if (!(await change.came)) return laterThan(after, await reader.one(runId));
      }
    } finally {
      interest.removeRun(runId);
    }
  }

  /** See `LiveRpc`. */
  async waitForRuns(
    filter: LiveFilter,
    limit: number,
    position: string | null,
    waitMs: number,
  ): Promise<RunsPage> {
    const { host, interest, latest, lists, queues, signals } = this.#parts;
    const compiled = compileFilter(filter);
    const endAt = host.now() + waitMs;
    interest.addList();
    try {
      await queues.open();
      for (;;) {
        const { seq } = latest;
        const rows = lists.changesSince(position ?? undefined)?.filter((row) => compiled.matches(row));
        if (!rows || rows.length > limit) {
          const { runs } = await lists.listed(compiled, limit);
          return await this.#page(lists.overlaid(compiled, runs, limit).rows, seq, true);
        }
        const left = endAt - host.now();
        if (rows.length > 0 || left <= 0) return await this.#page(rows, seq, false);
        if (await signals.next((row) => compiled.matches(row), left).came) await sleep(LIST_GATHER_MS);
      }
    } finally {
      interest.removeList();
    }
  }

  async #page(rows: RunRow[], seq: number, whole: boolean): Promise<RunsPage> {
    const { found, failed } = await this.#parts.reader.many(rows.map(({ id }) => id));
    if (failed.size > 0) throw new Error("Some runs could not be read");
    let left = SNAPSHOT_DATA;
    const runs = rows.flatMap((row) => {
      const run = found.get(row.id);
      if (!run) return [];
      left -= sizeOf(run);
      return left > 0 ? run : { ...run, payload: null, output: null, metadata: null };
    });
    return { position: `${this.#parts.host.epoch}:${seq}`, runs, whole };
  }
}

const laterThan = (version: number, run: RunRecord | null): RunRecord | null =>
  run && run.version > version ? run : null;
