import {
  DEFAULT_MACHINE,
  DEFAULTS,
  defaultQueueName,
  newRunId,
  type TaskManifest,
  type WorkerManifest,
} from "@acme/sdk/contract";
import type { TriggerItem } from "../../queue/rpc.ts";
import { partitionOf, queueRef } from "../../routing/partitions.ts";
import type { EnvironmentRef, QueueRef } from "../../routing/refs.ts";
import { payloadOf } from "./payload.ts";
import type { ScheduleRow } from "./store.ts";
import type { CurrentTick } from "./timing.ts";

/** What the current deployment declares about its tasks. */
export interface DeployedTasks {
  tasks: Map<string, TaskManifest>;
  /** The retry settings of tasks that have none. */
  retry: WorkerManifest["retry"];
  partitionsOf(queue: string): number;
}

export interface TickRun {
  target: QueueRef;
  item: TriggerItem;
}

/** Returns the run of a tick; null if the current deployment doesn't have its task. */
export function runOfTick(
  environment: EnvironmentRef,
  deployed: DeployedTasks,
  schedule: ScheduleRow,
  { tick, upcoming }: CurrentTick,
  now: number,
): TickRun | null {
  const task = deployed.tasks.get(schedule.task);
  if (!task) return null;
  const queue = task.queue?.name ?? defaultQueueName(task.id);
  const key = `${schedule.id}:${new Date(tick).toISOString()}`;
  const target = queueRef(environment, queue, partitionOf(key, deployed.partitionsOf(queue)));
  return {
    target,
    item: {
      runId: newRunId(target.queueKey, now),
      task: task.id,
      payload: payloadOf(schedule, tick, upcoming),
      payloadType: "application/super+json",
      tags: [],
      limits: task.limits,
      priorityMs: 0,
      ttlMs: task.ttlMs || undefined,
      retry: task.retry ?? deployed.retry,
      maxDuration: task.maxDuration,
      machine: task.machine ?? DEFAULT_MACHINE,
      // The key is not claimed anywhere else, because the environment's object creates only one run for a
      // tick.
      idempotency: {
        key,
        expiresAt: now + DEFAULTS.idempotencyKeyTtlMs,
        claim: false,
      },
      isTest: false,
      known: true,
      depth: 0,
      scheduleId: schedule.id,
    },
  };
}
