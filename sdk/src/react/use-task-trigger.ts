import { useCallback } from "react";
import type { AnyTask, RunHandle, TaskIdentifier, TaskOutput, TaskPayload } from "../define/task-types.ts";
import { requestOptionsOf } from "../live/shared-client.ts";
import { triggerTask } from "../trigger/trigger.ts";
import type { TriggerOptions } from "../trigger/trigger-options.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";
import { useCall } from "./use-call.ts";
import { type RealtimeRunInstance, useRealtimeRun } from "./use-realtime-run.ts";

type HandleOf<T extends AnyTask> = RunHandle<TaskIdentifier<T>, TaskPayload<T>, TaskOutput<T>>;

export interface TaskTriggerInstance<T extends AnyTask> {
  submit: (payload: TaskPayload<T>, options?: TriggerOptions) => void;
  /** The run that was triggered last. */
  handle: HandleOf<T> | undefined;
  isLoading: boolean;
  error: Error | undefined;
}

/** Triggers a task on `submit`. The token is one of `auth.createTriggerPublicToken`. */
export function useTaskTrigger<T extends AnyTask>(
  id: TaskIdentifier<T>,
  options: TriggerAuth = {},
): TaskTriggerInstance<T> {
  const connection = useConnection(options);
  const trigger = useCallback(
    async (payload: TaskPayload<T>, triggerOptions?: TriggerOptions) => {
      const requestOptions = await requestOptionsOf(connection);
      const call = { taskId: id, payload, options: triggerOptions, requestOptions, site: undefined };
      return triggerTask<TaskIdentifier<T>, TaskPayload<T>, TaskOutput<T>>(call);
    },
    [id, connection],
  );
  const { start, result, isLoading, error } = useCall(trigger);
  return { submit: start, handle: result, isLoading, error };
}

export type RealtimeTaskTriggerInstance<T extends AnyTask> = TaskTriggerInstance<T> & RealtimeRunInstance<T>;

/** Triggers a task on `submit`, and shows the run with the token that the trigger brings back. */
export function useRealtimeTaskTrigger<T extends AnyTask>(
  id: TaskIdentifier<T>,
  options: TriggerAuth & { enabled?: boolean } = {},
): RealtimeTaskTriggerInstance<T> {
  const { submit, handle, isLoading, error: refused } = useTaskTrigger<T>(id, options);
  const { run, error, stop } = useRealtimeRun<T>(handle?.id, {
    ...options,
    ...(handle?.publicAccessToken ? { accessToken: handle.publicAccessToken } : {}),
  });
  return { submit, handle, isLoading, run, error: refused ?? error, stop };
}
