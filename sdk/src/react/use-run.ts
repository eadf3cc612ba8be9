import { useEffect, useState } from "react";
import { retrieveRun } from "../client/retrieve-run.ts";
import type { AnyTask } from "../define/task-types.ts";
import { requestOptionsOf } from "../live/shared-client.ts";
import type { RetrieveRunResult } from "../manage/run-types.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";

export interface UseRunOptions extends TriggerAuth {
  /**
   * Milliseconds between two retrievals of the run, until it is finished. Default 0: it is retrieved once.
   */
  refreshInterval?: number;
  /** Whether to retrieve it again when the page becomes visible. Default: false. */
  revalidateOnFocus?: boolean;
  /** Whether to retrieve it again when the network is back. Default: false. */
  revalidateOnReconnect?: boolean;
}

export interface RunInstance<T> {
  run: RetrieveRunResult<T> | undefined;
  error: Error | undefined;
  /** True while the run is being retrieved for the first time. */
  isLoading: boolean;
  /** True while the run is being retrieved. */
  isValidating: boolean;
  isError: boolean;
}

/**
 * Returns a run as `runs.retrieve` does, with its parent, root and children. For live changes, use
 * `useRealtimeRun`.
 */
export function useRun<T extends AnyTask>(
  runId: string | undefined,
  options: UseRunOptions = {},
): RunInstance<T> {
  const connection = useConnection(options);
  const { refreshInterval = 0, revalidateOnFocus = false, revalidateOnReconnect = false } = options;
  const [run, setRun] = useState<RetrieveRunResult<T>>();
  const [error, setError] = useState<Error>();
  const [isValidating, setValidating] = useState(runId !== undefined);
  useEffect(() => {
    setRun(undefined);
    setError(undefined);
    if (runId === undefined) return;
    const controller = new AbortController();
    const { signal } = controller;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const retrieve = async (): Promise<void> => {
      clearTimeout(timer);
      setValidating(true);
      let isOver = false;
      try {
        const found = await retrieveRun(runId, { ...(await requestOptionsOf(connection)), signal });
        if (signal.aborted) return;
        isOver = found.data.finishedAt !== undefined;
        setRun(found.data as RetrieveRunResult<T>);
        setError(undefined);
      } catch (cause) {
        if (signal.aborted) return;
        setError(cause instanceof Error ? cause : new Error(String(cause)));
      }
      setValidating(false);
      if (refreshInterval > 0 && !isOver) timer = setTimeout(() => void retrieve(), refreshInterval);
    };
    void retrieve();
    const shown = () => document.visibilityState === "visible" && void retrieve();
    if (revalidateOnFocus) document.addEventListener("visibilitychange", shown, { signal });
    if (revalidateOnReconnect) addEventListener("online", () => void retrieve(), { signal });
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [runId, connection, refreshInterval, revalidateOnFocus, revalidateOnReconnect]);
  const isError = error !== undefined;
  return { run, error, isLoading: isValidating && run === undefined && !isError, isValidating, isError };
}
