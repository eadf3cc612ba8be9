/** React hooks over live subscriptions. Their names are those of `@trigger.dev/react-hooks`. */

export type { LiveSkipColumn } from "../contract/live-constants.ts";
export {
  type TriggerAuth,
  TriggerAuthContext,
  useTriggerAuthContext,
  useTriggerAuthContextOptional,
} from "./auth-context.ts";
export { type InputStreamSendInstance, useInputStreamSend } from "./use-input-stream-send.ts";
export {
  type RealtimeRunInstance,
  type UseRealtimeOptions,
  type UseRealtimeRunOptions,
  useRealtimeRun,
} from "./use-realtime-run.ts";
export {
  type RealtimeRunWithStreamsInstance,
  type UseRealtimeRunWithStreamsOptions,
  useRealtimeRunWithStreams,
} from "./use-realtime-run-with-streams.ts";
export {
  type RealtimeRunsInstance,
  type UseRealtimeRunsOptions,
  type UseRealtimeRunsWithTagOptions,
  useRealtimeBatch,
  useRealtimeRunsWithTag,
} from "./use-realtime-runs.ts";
export {
  type DefinedStream,
  type RealtimeStreamInstance,
  type StreamPart,
  type UseRealtimeStreamOptions,
  useRealtimeStream,
  useRealtimeStream as useStream,
} from "./use-realtime-stream.ts";
export { type RunInstance, type UseRunOptions, useRun } from "./use-run.ts";
export {
  type RealtimeTaskTriggerInstance,
  type RealtimeTaskTriggerWithStreamsInstance,
  type TaskTriggerInstance,
  type UseRealtimeTaskTriggerOptions,
  useRealtimeTaskTrigger,
  useRealtimeTaskTriggerWithStreams,
  useTaskTrigger,
} from "./use-task-trigger.ts";
export { useWaitToken, type WaitTokenInstance } from "./use-wait-token.ts";
