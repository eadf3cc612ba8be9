import { useMemo } from "react";
import { parseDuration } from "../contract/api/durations.ts";
import type { AnyTask } from "../define/task-types.ts";
import { type LiveStore, type RunsState, runsStore } from "../live/stores.ts";
import type { RealtimeRun } from "../manage/run-subscriptions.ts";
import { useConnection } from "./auth-context.ts";
import type { UseRealtimeOptions } from "./use-realtime-run.ts";
import { useStore } from "./use-store.ts";

export interface UseRealtimeRunsOptions extends UseRealtimeOptions {
  /** 1 to 1000. Default: 100. */
  limit?: number;
}

export interface UseRealtimeRunsWithTagOptions extends UseRealtimeRunsOptions {
  /** How far back runs were created: `"1h"`, `"7d"`. Default: as far as the limit reaches. */
  createdAt?: string;
}

export interface RealtimeRunsInstance<T> {
  /** Oldest first. */
  runs: RealtimeRun<T>[];
  error: Error | undefined;
  /** Ends the subscription. */
  stop: () => void;
}

const EMPTY: RunsState = { runs: [], more: false, error: undefined };

/** The newest runs that have this tag, or all of these tags. */
export function useRealtimeRunsWithTag<T extends AnyTask>(
  tag: string | string[],
  options: UseRealtimeRunsWithTagOptions = {},
): RealtimeRunsInstance<T> {
  const connection = useConnection(options);
  const { createdAt, limit, enabled = true } = options;
  const tags = JSON.stringify([tag].flat());
  return useRuns<T>(() => {
    if (!enabled) return null;
    const filter = { allTags: JSON.parse(tags) as string[], ...createdFrom(createdAt) };
    return runsStore({ filter }, connection, limit);
  }, [tags, createdAt, limit, enabled, connection]);
}

/** The runs of a batch. Without an id nothing is watched yet. */
export function useRealtimeBatch<T extends AnyTask>(
  batchId: string | undefined,
  options: UseRealtimeRunsOptions = {},
): RealtimeRunsInstance<T> {
  const connection = useConnection(options);
  const { limit, enabled = true } = options;
  return useRuns<T>(
    () => (enabled && batchId !== undefined ? runsStore({ batchId }, connection, limit) : null),
    [batchId, limit, enabled, connection],
  );
}

function useRuns<T>(
  create: () => LiveStore<RunsState> | null,
  keys: readonly unknown[],
): RealtimeRunsInstance<T> {
  const { runs: newestFirst, error, stop } = useStore(create, EMPTY, keys);
  const runs = useMemo(() => newestFirst.toReversed() as RealtimeRun<T>[], [newestFirst]);
  return { runs, error, stop };
}

function createdFrom(period: string | undefined): { from?: number } {
  if (period === undefined) return {};
  const ms = parseDuration(period);
  if (ms === null) throw new TypeError(`createdAt is a duration such as "1h" or "7d", not "${period}"`);
  return { from: Date.now() - ms };
}
