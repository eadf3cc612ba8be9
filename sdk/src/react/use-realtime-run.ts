import { useEffect, useRef } from "react";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import type { AnyTask } from "../define/task-types.ts";
import { type RunState, runStore } from "../live/stores.ts";
import type { RealtimeRun } from "../manage/run-subscriptions.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";
import { useSame, useStore } from "./use-store.ts";

export interface UseRealtimeOptions extends TriggerAuth {
  /** False: nothing is watched. Default: true. */
  enabled?: boolean;
}

export interface UseRealtimeRunOptions<T> extends UseRealtimeOptions {
  /** The subscription ends with the run. Default: true. */
  stopOnCompletion?: boolean;
  /** What is not sent of the run, by Trigger.dev's names of columns. A token may say that itself. */
  skipColumns?: LiveSkipColumn[];
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
  const skipped = useSame(options.skipColumns);
  const watched = enabled ? runId : undefined;
  const state = useStore(
    () =>
      watched === undefined
        ? null
        : runStore(watched, connection, { stopOnCompletion, skipColumns: skipped }),
    EMPTY,
    [watched, connection, stopOnCompletion, skipped],
  );
  const run = state.run as RealtimeRun<T> | undefined;
  const { error, stop } = state;
  useOnComplete(watched, run, error, onComplete);
  return { run, error, stop };
}

/** Calls `onComplete` once for a run. */
export function useOnComplete<T>(
  runId: string | undefined,
  run: RealtimeRun<T> | undefined,
  error: Error | undefined,
  onComplete: UseRealtimeRunOptions<T>["onComplete"],
): void {
  const completed = useRef<string>(undefined);
  useEffect(() => {
    const isOver = run?.finishedAt !== undefined || error !== undefined;
    if (runId === undefined || !isOver || completed.current === runId) return;
    completed.current = runId;
    onComplete?.(run, error);
  }, [runId, run, error, onComplete]);
}
