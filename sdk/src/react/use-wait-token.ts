import { useCallback } from "react";
import { completeToken } from "../client/tokens-api.ts";
import { requestOptionsOf } from "../live/shared-client.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";
import { useCall } from "./use-call.ts";

export interface WaitTokenInstance<T> {
  /** Completes the token: the runs that wait for it get the output. */
  complete: (output: T) => void;
  /** True if there is a token to complete. */
  isReady: boolean;
  isLoading: boolean;
  isCompleted: boolean;
  error: Error | undefined;
}

/** Completes a token of `wait.createToken`, with its `publicAccessToken`. */
export function useWaitToken<T>(waitpointId?: string, options: TriggerAuth = {}): WaitTokenInstance<T> {
  const connection = useConnection(options);
  const call = useCallback(
    async (output: T) => {
      if (waitpointId === undefined)
        throw new Error("There is no token to complete yet: give useWaitToken its id");
      return completeToken(waitpointId, output, await requestOptionsOf(connection));
    },
    [waitpointId, connection],
  );
  const { start, result, isLoading, error } = useCall(call);
  return {
    complete: start,
    isReady: waitpointId !== undefined,
    isLoading,
    isCompleted: result !== undefined,
    error,
  };
}
