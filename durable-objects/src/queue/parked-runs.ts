import { RunStatus } from "@acme/sdk/contract";
import type { Meta } from "../lib/sql.ts";
import { limitSetOf } from "../routing/limit-sets.ts";
import type { QueueContext, RunTableRow } from "./context.ts";
import { transition } from "./transition.ts";

const META_KEY = "unknownTasks";

export const loadUnknownTasks = (meta: Meta): ReadonlySet<string> =>
  new Set(meta.get<string[]>(META_KEY) ?? []);

export const isKnown = (q: QueueContext, task: string): boolean => !q.unknownTasks.has(task);

/** Whether some runs wait for a deployment that contains their task. */
export const hasParked = (q: QueueContext): boolean => q.unknownTasks.size > 0;

export function markUnknown(q: QueueContext, task: string): void {
  if (isKnown(q, task)) save(q, new Set([...q.unknownTasks, task]));
}

function save(q: QueueContext, tasks: ReadonlySet<string>): void {
  q.unknownTasks = tasks;
  q.meta.set(META_KEY, [...tasks]);
}

/**
 * Queues runs that waited for a deployment with these tasks, at most `limit`. Their `ttl` counts from when they began to
 * wait. They hold the named limits that the deployment declares of their task, unless their trigger named others. Returns
 * true when there may be more.
 */
export function releaseParked(
  q: QueueContext,
  tasks: ReadonlySet<string>,
  limitsOfTasks: Record<string, string[]>,
  limit: number,
): boolean {
  const brought = [...q.unknownTasks].filter((task) => tasks.has(task));
  if (brought.length === 0) return false;
  const parked = q.sql.exec<RunTableRow>(
    `SELECT * FROM runs WHERE status = 'PENDING_VERSION' AND task IN (SELECT value FROM json_each(?)) LIMIT ? + 0`,
    JSON.stringify(brought),
    limit,
  );
  for (const parkedRun of parked) {
    const run = withLimits(q, parkedRun, limitSetOf(limitsOfTasks[parkedRun.task] ?? []));
    transition(q, run, RunStatus.PENDING, { queued_at: q.now });
  }
  if (parked.length === limit) return true;
  save(q, new Set([...q.unknownTasks].filter((task) => !tasks.has(task))));
  return false;
}

function withLimits(q: QueueContext, run: RunTableRow, limits: string): RunTableRow {
  if (limits === "" || run.limits !== "") return run;
  q.sql.exec("UPDATE runs SET limits = ? WHERE seq = ?", limits, run.seq);
  return { ...run, limits };
}
