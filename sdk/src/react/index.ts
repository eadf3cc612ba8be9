/** React hooks over live subscriptions. Their names are those of `@trigger.dev/react-hooks`. */

export { type TriggerAuth, TriggerAuthContext } from "./auth-context.ts";
export {
  type RealtimeRunInstance,
  type UseRealtimeOptions,
  type UseRealtimeRunOptions,
  useRealtimeRun,
} from "./use-realtime-run.ts";
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
  type UseRealtimeStreamOptions,
  useRealtimeStream,
  useRealtimeStream as useStream,
} from "./use-realtime-stream.ts";
export {
  type RealtimeTaskTriggerInstance,
  type TaskTriggerInstance,
  useRealtimeTaskTrigger,
  useTaskTrigger,
} from "./use-task-trigger.ts";
export { useWaitToken, type WaitTokenInstance } from "./use-wait-token.ts";
