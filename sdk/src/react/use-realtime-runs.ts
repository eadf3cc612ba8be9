import { useMemo } from "react";
import { parseDuration } from "../contract/api/durations.ts";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import type { AnyTask } from "../define/task-types.ts";
import type { LiveStore } from "../live/store.ts";
import { type RunsState, runsStore } from "../live/stores.ts";
import type { RealtimeRun } from "../manage/run-subscriptions.ts";
import { useConnection } from "./auth-context.ts";
import type { UseRealtimeOptions } from "./use-realtime-run.ts";
import { useSame, useStore } from "./use-store.ts";

export interface UseRealtimeRunsOptions extends UseRealtimeOptions {
  /** 1 to 1000. Default: 100. */
  limit?: number;
  /** Fields of runs that are not sent, by Trigger.dev's column names. A token can name such fields too. */
  skipColumns?: LiveSkipColumn[];
}

export interface UseRealtimeRunsWithTagOptions extends UseRealtimeRunsOptions {
  /** Only runs created within this time: `"1h"`, `"7d"`. Default: the newest runs up to the limit. */
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

/** Subscribes to the newest runs that have this tag, or all of these tags. */
export function useRealtimeRunsWithTag<T extends AnyTask>(
  tag: string | string[],
  options: UseRealtimeRunsWithTagOptions = {},
): RealtimeRunsInstance<T> {
  const connection = useConnection(options);
  const { createdAt, limit, enabled = true } = options;
  const tags = JSON.stringify([tag].flat());
  const skipColumns = useSame(options.skipColumns);
  return useRuns<T>(() => {
    if (!enabled) return null;
    const filter = { allTags: JSON.parse(tags) as string[], ...createdFrom(createdAt) };
    return runsStore({ filter }, connection, { limit, skipColumns });
  }, [tags, createdAt, limit, skipColumns, enabled, connection]);
}

/** Subscribes to the runs of a batch. Without an id, it does not subscribe yet. */
export function useRealtimeBatch<T extends AnyTask>(
  batchId: string | undefined,
  options: UseRealtimeRunsOptions = {},
): RealtimeRunsInstance<T> {
  const connection = useConnection(options);
  const { limit, enabled = true } = options;
  const skipColumns = useSame(options.skipColumns);
  return useRuns<T>(
    () =>
      enabled && batchId !== undefined ? runsStore({ batchId }, connection, { limit, skipColumns }) : null,
    [batchId, limit, skipColumns, enabled, connection],
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
