import {
  DEFAULT_MACHINE,
  DEFAULTS,
  defaultQueueName,
  newRunId,
  type TaskManifest,
  type WorkerManifest,
} from "@acme/sdk/contract";
import { queueKeyOf } from "../../keys.ts";
import type { EnvironmentRef, TriggerItem } from "../../rpc.ts";
import { payloadOf } from "./payload.ts";
import type { ScheduleRow } from "./store.ts";
import type { CurrentTick } from "./timing.ts";

/** What the current deployment says of its tasks. */
export interface DeployedTasks {
  tasks: Map<string, TaskManifest>;
  /** Of tasks that say nothing of it. */
  retry: WorkerManifest["retry"];
}

export interface TickRun {
  queue: string;
  item: TriggerItem;
}

/** The run that a tick makes; null: the current deployment doesn't have its task. */
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
  return {
    queue,
    item: {
      runId: newRunId(queueKeyOf(environment.key, queue), now),
      task: task.id,
      payload: payloadOf(schedule, tick, upcoming),
      payloadType: "application/super+json",
      tags: [],
      priorityMs: 0,
      ttlMs: task.ttlMs || undefined,
      retry: task.retry ?? deployed.retry,
      maxDuration: task.maxDuration,
      machine: task.machine ?? DEFAULT_MACHINE,
      // Held by the environment's object, which creates no second run for a tick: it is claimed nowhere else.
      idempotency: {
        key: `${schedule.id}:${new Date(tick).toISOString()}`,
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
