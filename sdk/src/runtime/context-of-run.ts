import type { DequeuedRun } from "../contract/host-protocol.ts";
import { parseRunId } from "../contract/ids.ts";
import { MACHINES } from "../contract/machines.ts";
import type { Context } from "../run/context.ts";
import { type RegisteredTask, state } from "../run/state.ts";

/**
 * The queue as the API shows it. Its id names the object that owns the run. The name of a task's own queue is
 * the task's id.
 */
function queueOf({ runId, queue }: DequeuedRun): Context["queue"] {
  const key = parseRunId(runId)?.queueKey;
  return { id: key === undefined ? queue : `queue_${key}`, name: queue.replace(/^task\//, "") };
}

/** Returns the `ctx` of a run. */
export function contextOf(run: DequeuedRun, task: RegisteredTask, startedAt: Date): Context {
  const { environment, project, organization, deployment } = run;
  const machine = MACHINES[run.machine];
  return {
    attempt: { number: run.attempt, startedAt },
    run: {
      id: run.runId,
      tags: run.tags,
      isTest: run.isTest,
      isReplay: false,
      createdAt: new Date(run.createdAt),
      startedAt: run.firstStartedAt ? new Date(run.firstStartedAt) : startedAt,
      idempotencyKey: run.idempotencyKey ?? undefined,
      maxAttempts: run.maxAttempts ?? undefined,
      version: deployment.version,
      maxDuration: run.maxDuration ?? task.maxDuration ?? state.config.maxDuration,
      priority: run.priority,
      parentTaskRunId: run.parentRunId ?? undefined,
      rootTaskRunId: run.rootRunId ?? undefined,
      baseCostInCents: 0,
    },
    task: { id: task.id, filePath: task.filePath ?? "", exportName: task.exportName },
    queue: queueOf(run),
    environment: {
      id: environment.id,
      slug: environment.slug,
      type: environment.type as Context["environment"]["type"],
    },
    organization: { id: organization.id, slug: organization.slug, name: organization.name },
    project: { id: project.id, ref: project.ref, slug: project.ref, name: project.name },
    machine: { name: run.machine, cpu: machine.cpu, memory: machine.memory, centsPerMs: 0 },
    batch: run.batchId ? { id: run.batchId } : undefined,
    deployment: {
      id: deployment.id,
      shortCode: deployment.version,
      version: deployment.version,
      runtime: "node",
      runtimeVersion: process.versions.node,
    },
  };
}
