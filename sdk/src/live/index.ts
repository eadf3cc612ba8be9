export type { LiveEnvironment, LiveFilter, LiveLogLine, LiveRun, LiveRunData } from "../contract/live.ts";
export {
  LiveClient,
  type LiveClientOptions,
  type LiveStatus,
  type LiveStreamOptions,
  type LiveSubscribeOptions,
  type LiveSubscription,
} from "./live-client.ts";
export { LiveError } from "./live-error.ts";
export type { LiveChunk, LiveRunState, LiveRunsState } from "./watches.ts";
