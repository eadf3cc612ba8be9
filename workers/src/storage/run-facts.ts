import type { RunRow } from "@acme/durable-objects/rpc";
import { ENDED_COLUMNS, HOUR_MS, MINUTE_MS, timeClassOf } from "./rollup-columns.ts";

/**
 * Facts happen to a run once: it is created, it starts, it ends, it fails with an error. A row contains the
 * facts so far. The statement that stores rows counts the facts that the replaced row did not have. So each
 * fact is counted once, however often and in whichever order the rows arrive, and a rebuilt query side has
 * the same counts.
 */

/** In the order in which the statements read it. */
export type RunFact = [
  runId: string,
  version: number,
  kind: "created" | "started" | "ended",
  environmentKey: string,
  task: string,
  queue: string,
  machine: string,
  /** The minute in which it happened. */
  minute: number,
  /** For a run that ended, its outcome as named in {@link ENDED_COLUMNS}; otherwise the kind. */
  column: string,
  /**
   * For a run that started, the class of its waiting time; for one that ended after its start, of its
   * duration; otherwise -1.
   */
  timeClass: number,
  usageMs: number,
];

export function factsOf(rows: RunRow[]): RunFact[] {
  return rows.flatMap((row) => {
    const fact = (kind: RunFact[2], at: number, column: string, ms: number | null, usageMs = 0): RunFact => [
      row.id,
      row.version,
      kind,
      row.environmentKey,
      row.task,
      row.queue,
      row.machine,
      stepOf(at, MINUTE_MS),
      column,
      ms === null ? -1 : timeClassOf(ms),
      usageMs,
    ];
    const facts = [fact("created", row.createdAt, "created", null)];
    const { startedAt, completedAt } = row;
    const ended = ENDED_COLUMNS[row.status as keyof typeof ENDED_COLUMNS];
    if (startedAt !== null)
      facts.push(fact("started", startedAt, "started", startedAt - (row.delayUntil ?? row.createdAt)));
    if (ended && completedAt !== null) {
      const took = startedAt === null ? null : completedAt - startedAt;
      facts.push(fact("ended", completedAt, ended, took, row.usageMs));
    }
    return facts;
  });
}

/** What facts that are counted together have in common, in the order in which the statements read it. */
type FactGroup = [
  kind: RunFact[2],
  environmentKey: string,
  task: string,
  queue: string,
  machine: string,
  minute: number,
  column: string,
  timeClass: number,
];

/** The facts of a run by the index of their group; null: it has not happened. In the order in which the statements read it. */
type GroupedRun = [
  runId: string,
  version: number,
  created: number,
  started: number | null,
  ended: number | null,
  usageMs: number,
];

export interface GroupedFacts {
  runs: GroupedRun[];
  groups: FactGroup[];
}

/** The same facts, with what they have in common written once: most runs of a moment are alike. */
export function groupedFactsOf(rows: RunRow[]): GroupedFacts {
  const runs: GroupedRun[] = [];
  const groups: FactGroup[] = [];
  const indexes = new Map<string, number>();
  for (const [runId, version, ...fact] of factsOf(rows)) {
    const [kind, environmentKey, task, queue, machine, minute, column, timeClass, usageMs] = fact;
    const group: FactGroup = [kind, environmentKey, task, queue, machine, minute, column, timeClass];
    const key = group.join("\0");
    let index = indexes.get(key);
    if (index === undefined) {
      index = groups.push(group) - 1;
      indexes.set(key, index);
    }
    if (kind === "created") {
      runs.push([runId, version, index, null, null, 0]);
      continue;
    }
    // A run's facts follow one another.
    const run = runs.at(-1) as GroupedRun;
    if (kind === "started") run[3] = index;
    else {
      run[4] = index;
      run[5] = usageMs;
    }
  }
  return { runs, groups };
}

/** In the order in which the statements read it. */
export type ErrorFact = [
  runId: string,
  version: number,
  environmentKey: string,
  fingerprint: string,
  task: string,
  name: string,
  message: string,
  at: number,
  hour: number,
  minute: number,
  deployment: string,
];

/** Failures with an error, of rows that have one. */
export function errorFactsOf(rows: RunRow[]): ErrorFact[] {
  return rows.flatMap((row): ErrorFact[] => {
    if (row.errorFingerprint === null) return [];
    const at = row.completedAt ?? row.updatedAt;
    return [
      [
        row.id,
        row.version,
        row.environmentKey,
        row.errorFingerprint,
        row.task,
        row.errorName ?? "Error",
        row.errorMessage ?? "",
        at,
        stepOf(at, HOUR_MS),
        stepOf(at, MINUTE_MS),
        versionKey(row.deploymentVersion),
      ],
    ];
  });
}

export const stepOf = (at: number, step: number): number => Math.floor(at / step) * step;

const VERSION = /^(\d{8})\.(\d{1,6})$/;

/** Returns a deployment's version as a text that sorts like versions; empty if there is none. */
export function versionKey(version: string | null): string {
  const match = VERSION.exec(version ?? "");
  return match ? `${match[1]}.${(match[2] as string).padStart(6, "0")}` : (version ?? "");
}

/** Returns the version of a key; null if it has none. */
export const versionOfKey = (key: string): string | null =>
  key.replace(/^(\d{8})\.0{1,5}(?=\d)/, "$1.") || null;
