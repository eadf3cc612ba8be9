export type { AttemptEnd, RunObserver } from "./attempt/run-observer.ts";
export { HostError } from "./errors.ts";
export { type HostExtras, type InspectedProcesses, type RunningHost, startHost } from "./host.ts";
export { type HostLog, logTo, stderrLog } from "./log.ts";
export { EXECUTORS, type HostOptions } from "./options.ts";
export { TunnelApi, type TunnelOptions } from "./tunnel-api.ts";
