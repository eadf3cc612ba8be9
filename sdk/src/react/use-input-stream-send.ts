import { useCallback } from "react";
import { sendInput } from "../client/input-streams-api.ts";
import { requestOptionsOf } from "../live/shared-client.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";
import { useCall } from "./use-call.ts";

export interface InputStreamSendInstance<T> {
  /** Sends a value to the run. */
  send: (data: T) => void;
  /** True if there is a run to send to. */
  isReady: boolean;
  isLoading: boolean;
  error: Error | undefined;
}

/**
 * Sends values to an input stream of a run. Its token is the one that the trigger returned, or one with the
 * scope `write:inputStreams`.
 */
export function useInputStreamSend<T>(
  streamId: string,
  runId?: string,
  options: TriggerAuth = {},
): InputStreamSendInstance<T> {
  const connection = useConnection(options);
  const call = useCallback(
    async (data: T) => {
      if (runId === undefined)
        throw new Error("There is no run to send to yet: give useInputStreamSend its id");
      await sendInput(runId, streamId, data, await requestOptionsOf(connection));
    },
    [runId, streamId, connection],
  );
  const { start, isLoading, error } = useCall(call);
  return { send: start, isReady: runId !== undefined, isLoading, error };
}
