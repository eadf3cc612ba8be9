import type { RunRow } from "@acme/durable-objects/rpc";
import { RUN_STATUSES } from "@acme/sdk/contract";
import type { RunFilter } from "../../src/storage/repository.ts";
import { aRun } from "./a-run.ts";

/** Newest first. */
export const inOrder = (rows: RunRow[]): RunRow[] =>
  [...rows].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));

const among = <T>(values: T[] | undefined, value: T | null): boolean =>
  values === undefined || (value !== null && values.includes(value));

const equals = <T>(wanted: T | undefined, value: T | null): boolean =>
  wanted === undefined || wanted === value;

/** The meaning of a filter, as a simple predicate. */
export const matches = (run: RunRow, filter: RunFilter): boolean =>
  among(filter.statuses, run.status) &&
  among(filter.tasks, run.task) &&
  among(filter.versions, run.deploymentVersion) &&
  among(filter.queues, run.queue) &&
  among(filter.machines, run.machine) &&
  (filter.tags === undefined || filter.tags.some((tag) => run.tags.includes(tag))) &&
  equals(filter.batch, run.batchId) &&
  equals(filter.schedule, run.scheduleId) &&
  (filter.bulkAction === undefined || run.bulkActions.includes(filter.bulkAction)) &&
  equals(filter.rootRunId, run.rootRunId) &&
  equals(filter.parentRunId, run.parentRunId) &&
  equals(filter.isTest, run.isTest) &&
  (filter.from === undefined || run.createdAt >= filter.from) &&
  (filter.to === undefined || run.createdAt <= filter.to);

/**
 * Runs with every property that can be filtered by, in all combinations of small coprime cycles; some share a
 * moment.
 */
export function aHistory(environmentKey: string, count: number): RunRow[] {
  const parent = aRun(environmentKey).id;
  return Array.from({ length: count }, (_, i) =>
    aRun(environmentKey, {
      createdAt: 1_795_000_000_000 + 10 * (i >> 1),
      task: `task-${i % 5}`,
      queue: i % 4 === 0 ? "shared" : `task/task-${i % 5}`,
      status: i % 2 === 0 ? "COMPLETED_SUCCESSFULLY" : RUN_STATUSES[(i >> 1) % RUN_STATUSES.length],
      tags: i % 3 === 0 ? [] : [`user:${i % 7}`, `org:${i % 2}`],
      isTest: i % 11 === 0,
      machine: i % 6 === 0 ? "large-1x" : "small-1x",
      deploymentVersion: i % 7 === 0 ? null : `20261124.${i % 3}`,
      batchId: i % 8 === 0 ? "batch_a" : null,
      scheduleId: i % 9 === 0 ? "sched_a" : null,
      bulkActions: i % 4 === 1 ? [`bulk_${i % 3}`, "user:1"] : [],
      parentRunId: i % 10 === 0 ? parent : null,
      rootRunId: i % 5 === 0 ? parent : null,
    }),
  );
}

export function filters(history: RunRow[]): RunFilter[] {
  const middle = history[history.length >> 1]?.createdAt ?? 0;
  const rootRunId = history[0]?.rootRunId ?? "";
  return [
    { statuses: ["PENDING", "EXECUTING"] },
    { statuses: ["COMPLETED_SUCCESSFULLY"] },
    { statuses: ["COMPLETED_SUCCESSFULLY", "CRASHED"] },
    { statuses: [] },
    { tasks: ["task-1"] },
    { tasks: ["task-1", "task-3", "task-1", "none"] },
    { versions: ["20261124.1"] },
    { tags: ["user:1"] },
    { tags: ["user:1", "user:2", "org:1"] },
    { tags: ["user:1", "org:0"], statuses: ["COMPLETED_SUCCESSFULLY"], tasks: ["task-2", "task-4"] },
    { tags: [] },
    { queues: ["shared", "task/task-2"] },
    { machines: ["large-1x"] },
    { batch: "batch_a" },
    { batch: "batch_a", tasks: ["task-0", "task-3"] },
    { schedule: "sched_a" },
    { bulkAction: "bulk_1" },
    { bulkAction: "user:1" },
    { bulkAction: "bulk_2", tags: ["user:1", "org:1"], tasks: ["task-1", "task-3"] },
    { bulkAction: "none" },
    { isTest: true },
    { isTest: false, tasks: ["task-2"] },
    { rootRunId },
    { parentRunId: rootRunId },
    { from: middle },
    { to: middle },
    { from: middle - 100, to: middle, statuses: ["CANCELED", "CRASHED", "TIMED_OUT"] },
    { tasks: ["task-1"], statuses: ["PENDING", "EXECUTING"], versions: ["20261124.1", "20261124.2"] },
  ];
}
