import type { AnyTask } from "../define/task-types.ts";
import { type RunWithStreamsState, runWithStreamsStore } from "../live/run-with-streams-store.ts";
import type { RealtimeRun } from "../manage/run-subscriptions.ts";
import { useConnection } from "./auth-context.ts";
import { type RealtimeRunInstance, type UseRealtimeRunOptions, useOnComplete } from "./use-realtime-run.ts";
import { useSame, useStore } from "./use-store.ts";

export interface UseRealtimeRunWithStreamsOptions<T> extends UseRealtimeRunOptions<T> {
  /** Minimum milliseconds between two renders. Default: 16. */
  throttleInMs?: number;
}

export interface RealtimeRunWithStreamsInstance<T, TStreams extends Record<string, unknown>>
  extends RealtimeRunInstance<T> {
  /** The parts of each stream that has any, by its key. */
  streams: { [Key in keyof TStreams]?: TStreams[Key][] };
}

const EMPTY: RunWithStreamsState = { run: undefined, streams: {}, error: undefined };

/** Subscribes to one run and all of its streams. */
export function useRealtimeRunWithStreams<
  T extends AnyTask,
  TStreams extends Record<string, unknown> = Record<string, unknown>,
>(
  runId?: string,
  options: UseRealtimeRunWithStreamsOptions<T> = {},
): RealtimeRunWithStreamsInstance<T, TStreams> {
  const connection = useConnection(options);
  const { enabled = true, stopOnCompletion = true, onComplete, throttleInMs: throttleMs } = options;
  const skipColumns = useSame(options.skipColumns);
  const watched = enabled ? runId : undefined;
  const state = useStore(
    () =>
      watched === undefined
        ? null
        : runWithStreamsStore(watched, connection, { stopOnCompletion, skipColumns, throttleMs }),
    EMPTY,
    [watched, connection, stopOnCompletion, skipColumns, throttleMs],
  );
  const run = state.run as RealtimeRun<T> | undefined;
  const streams = state.streams as RealtimeRunWithStreamsInstance<T, TStreams>["streams"];
  const { error, stop } = state;
  useOnComplete(watched, run, error, onComplete);
  return { run, streams, error, stop };
}
