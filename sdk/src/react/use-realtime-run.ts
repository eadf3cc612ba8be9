import { useEffect, useRef } from "react";
import type { AnyTask } from "../define/task-types.ts";
import { type RunState, runStore } from "../live/stores.ts";
import type { RealtimeRun } from "../manage/run-subscriptions.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";
import { useStore } from "./use-store.ts";

export interface UseRealtimeOptions extends TriggerAuth {
  /** False: nothing is watched. Default: true. */
  enabled?: boolean;
}

export interface UseRealtimeRunOptions<T> extends UseRealtimeOptions {
  /** The subscription ends with the run. Default: true. */
  stopOnCompletion?: boolean;
  /** Called once, when the run is over or may not be watched. */
  onComplete?: (run: RealtimeRun<T> | undefined, error?: Error) => void;
}

export interface RealtimeRunInstance<T> {
  run: RealtimeRun<T> | undefined;
  error: Error | undefined;
  /** Ends the subscription. */
  stop: () => void;
}

const EMPTY: RunState = { run: undefined, error: undefined };

/** One run, at each change. Without an id nothing is watched yet. */
export function useRealtimeRun<T extends AnyTask>(
  runId?: string,
  options: UseRealtimeRunOptions<T> = {},
): RealtimeRunInstance<T> {
  const connection = useConnection(options);
  const { enabled = true, stopOnCompletion = true, onComplete } = options;
  const watched = enabled ? runId : undefined;
  const state = useStore(
    () => (watched === undefined ? null : runStore(watched, connection, stopOnCompletion)),
    EMPTY,
    [watched, connection, stopOnCompletion],
  );
  const run = state.run as RealtimeRun<T> | undefined;
  const completed = useRef<string>(undefined);
  const { error, stop } = state;
  useEffect(() => {
    const isOver = run?.finishedAt !== undefined || error !== undefined;
    if (watched === undefined || !isOver || completed.current === watched) return;
    completed.current = watched;
    onComplete?.(run, error);
  }, [watched, run, error, onComplete]);
  return { run, error, stop };
}
