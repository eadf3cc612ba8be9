export type { LiveEnvironment, LiveFilter, LiveLogLine, LiveRun, LiveRunData } from "../contract/live.ts";
export type { LiveSkipColumn } from "../contract/live-constants.ts";
export { LiveClient } from "./live-client.ts";
export { LiveError } from "./live-error.ts";
export type {
  LiveClientOptions,
  LiveRunOptions,
  LiveStatus,
  LiveStreamOptions,
  LiveSubscribeOptions,
  LiveSubscription,
} from "./live-options.ts";
export type { LiveChunk, LiveRunState, LiveRunsState, LiveRunsUpdate } from "./watches.ts";
