import type { Context } from "hono";
import type { OperationId } from "../auth/access.ts";
import type { App } from "../bindings.ts";
import { audit } from "./audit.ts";

/**
 * Operations whose effect is in an object, not in this database, by what the audit log calls them. They are recorded once
 * they have succeeded; what changes rows of this database is recorded in the transaction that changes them.
 */
const AUDITED: Partial<Record<OperationId, { action: string; type: string; id: string }>> = {
  pauseQueue: { action: "queue.paused_or_resumed", type: "queue", id: "queue" },
  overrideQueueConcurrency: { action: "queue.concurrency_overridden", type: "queue", id: "queue" },
  resetQueueConcurrency: { action: "queue.concurrency_reset", type: "queue", id: "queue" },
  overrideQueueRateLimit: { action: "queue.rate_limit_overridden", type: "queue", id: "queue" },
  resetQueueRateLimit: { action: "queue.rate_limit_reset", type: "queue", id: "queue" },
  overrideQueuePartitions: { action: "queue.partitions_overridden", type: "queue", id: "queue" },
  resetQueuePartitions: { action: "queue.partitions_reset", type: "queue", id: "queue" },
  pauseEnvironment: { action: "environment.paused", type: "environment", id: "env" },
  resumeEnvironment: { action: "environment.resumed", type: "environment", id: "env" },
  createDeployment: { action: "deployment.created", type: "environment", id: "env" },
  promoteDeployment: { action: "deployment.promoted", type: "deployment", id: "version" },
  createSchedule: { action: "schedule.created_or_updated", type: "environment", id: "env" },
  updateSchedule: { action: "schedule.updated", type: "schedule", id: "id" },
  deleteSchedule: { action: "schedule.deleted", type: "schedule", id: "id" },
  activateSchedule: { action: "schedule.activated", type: "schedule", id: "id" },
  deactivateSchedule: { action: "schedule.deactivated", type: "schedule", id: "id" },
};

/** Records an operation that has succeeded, if it is one of those. */
export async function auditOperation(c: Context<App>, operation: OperationId): Promise<void> {
  const audited = AUDITED[operation];
  if (!audited || !c.res.ok) return;
  const { environment } = c.var;
  const id = (c.req.param() as Record<string, string>)[audited.id] ?? environment.slug;
  await audit(c, {
    organizationId: environment.organization.id,
    action: audited.action,
    target: { type: audited.type, id: id.slice(0, 256) },
    scope: `${environment.project.ref}/${environment.slug}`,
  });
}
