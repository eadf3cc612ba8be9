import { useEffect, useRef } from "react";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import type { AnyTask } from "../define/task-types.ts";
import { type RunState, runStore } from "../live/stores.ts";
import type { RealtimeRun } from "../manage/run-subscriptions.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";
import { useSame, useStore } from "./use-store.ts";

export interface UseRealtimeOptions extends TriggerAuth {
  /** False: the hook does not subscribe. Default: true. */
  enabled?: boolean;
}

export interface UseRealtimeRunOptions<T> extends UseRealtimeOptions {
  /** Whether the subscription ends with the run. Default: true. */
  stopOnCompletion?: boolean;
  /** Fields of the run that are not sent, by Trigger.dev's column names. A token can name such fields too. */
  skipColumns?: LiveSkipColumn[];
  /** Called once, when the run is finished or may not be watched. */
  onComplete?: (run: RealtimeRun<T> | undefined, error?: Error) => void;
}

export interface RealtimeRunInstance<T> {
  run: RealtimeRun<T> | undefined;
  error: Error | undefined;
  /** Ends the subscription. */
  stop: () => void;
}

const EMPTY: RunState = { run: undefined, error: undefined };

/** Subscribes to one run and renders at each change. Without an id, it does not subscribe yet. */
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
