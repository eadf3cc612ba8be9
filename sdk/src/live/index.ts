export type { LiveEnvironment, LiveFilter, LiveLogLine, LiveRun, LiveRunData } from "../contract/live.ts";
export type { LiveSkipColumn } from "../contract/live-constants.ts";
export {
  LiveClient,
  type LiveClientOptions,
  type LiveRunOptions,
  type LiveStatus,
  type LiveStreamOptions,
  type LiveSubscribeOptions,
  type LiveSubscription,
} from "./live-client.ts";
export { LiveError } from "./live-error.ts";
export type { LiveChunk, LiveRunState, LiveRunsState } from "./watches.ts";
