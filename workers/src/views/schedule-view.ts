import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { ScheduleRecord } from "@acme/durable-objects/schedules";
import type { RunSchedule, ScheduleGenerator, ScheduleObject } from "@acme/sdk/contract/api";
import cronstrue from "cronstrue";
import type { z } from "zod";
import { optionalTime } from "./time.ts";

export const scheduleView = (schedule: ScheduleRecord, environment: EnvironmentRef): ScheduleObject => ({
  id: schedule.id,
  type: schedule.type,
  task: schedule.task,
  active: schedule.active,
  deduplicationKey: schedule.deduplicationKey ?? undefined,
  externalId: schedule.externalId ?? undefined,
  generator: generatorOf(schedule.cron),
  timezone: schedule.timezone,
  window: schedule.window ?? undefined,
  nextRun: optionalTime(schedule.nextTick),
  nextRunEffectiveAt: optionalTime(schedule.dueAt),
  lastRun: optionalTime(schedule.lastTick),
  environments: [{ id: environment.id, type: environment.type }],
});

/** Returns a schedule as its runs show it. */
export const runScheduleView = (schedule: ScheduleRecord): RunSchedule => ({
  id: schedule.id,
  externalId: schedule.externalId ?? undefined,
  deduplicationKey: schedule.deduplicationKey ?? undefined,
  generator: generatorOf(schedule.cron),
});

export const generatorOf = (expression: string): z.infer<typeof ScheduleGenerator> => ({
  type: "CRON",
  expression,
  description: inWords(expression),
});

/** An expression that can't be described in words is shown unchanged. */
function inWords(expression: string): string {
  try {
    return cronstrue.toString(expression);
  } catch {
    return expression;
  }
}
