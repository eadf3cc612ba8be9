import { useCallback, useState } from "react";

interface CallState<T> {
  isLoading: boolean;
  result: T | undefined;
  error: Error | undefined;
}

/** The state of a call that a user starts: its latest result, and whether one is in progress. */
export function useCall<A extends unknown[], T>(
  call: (...args: A) => Promise<T>,
): CallState<T> & { start: (...args: A) => void } {
  const [state, setState] = useState<CallState<T>>({ isLoading: false, result: undefined, error: undefined });
  const start = useCallback(
    (...args: A): void => {
      setState((before) => ({ ...before, isLoading: true, error: undefined }));
      call(...args).then(
        (result) => setState({ isLoading: false, result, error: undefined }),
        (cause: unknown) => {
          const error = cause instanceof Error ? cause : new Error(String(cause));
          setState((before) => ({ ...before, isLoading: false, error }));
        },
      );
    },
    [call],
  );
  return { ...state, start };
}
