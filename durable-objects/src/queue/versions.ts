import { RunStatus } from "@acme/sdk/contract";
import type { QueueContext, RunTableRow } from "./context.ts";
import { specOf } from "./context.ts";
import { transition } from "./transition.ts";

/** Tasks that runs of this queue were triggered for and that no deployment has brought yet. */
const unknownTasks = (q: QueueContext): string[] => q.meta.get<string[]>("unknownTasks") ?? [];

export const isKnown = (q: QueueContext, task: string): boolean => !unknownTasks(q).includes(task);

export function markUnknown(q: QueueContext, task: string): void {
  const tasks = unknownTasks(q);
  if (!tasks.includes(task)) q.meta.set("unknownTasks", [...tasks, task]);
}

/** A deployment was promoted: queues the runs that waited for one that knows their task. True: there may be more. */
export function releaseParked(q: QueueContext, tasks: ReadonlySet<string>, limit: number): boolean {
  const unknown = unknownTasks(q);
  const brought = unknown.filter((task) => tasks.has(task));
  if (brought.length === 0) return false;
  const parked = q.sql.exec<RunTableRow>(
    `SELECT * FROM runs WHERE status = 'PENDING_VERSION' AND task IN (SELECT value FROM json_each(?)) LIMIT ?`,
    JSON.stringify(brought),
    limit,
  );
  for (const run of parked) {
    const { ttlMs } = specOf(run);
    transition(q, run, RunStatus.PENDING, { queued_at: q.now, ttl_at: ttlMs ? q.now + ttlMs : null });
  }
  if (parked.length === limit) return true;
  q.meta.set(
    "unknownTasks",
    unknown.filter((task) => !tasks.has(task)),
  );
  return false;
}
