/** The parts of schedules that the Worker uses without calling an environment's object. */
export type { EnvironmentSchedulesRpc, ScheduleError, ScheduleRecord } from "./rpc.ts";
export { preview, timingProblem } from "./timing.ts";
export { zoneNames } from "./zone.ts";
