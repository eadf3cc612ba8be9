import { useCallback } from "react";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import type { AnyTask, RunHandle, TaskIdentifier, TaskOutput, TaskPayload } from "../define/task-types.ts";
import { requestOptionsOf } from "../live/shared-client.ts";
import { triggerTask } from "../trigger/trigger.ts";
import type { TriggerOptions } from "../trigger/trigger-options.ts";
import { type TriggerAuth, useConnection } from "./auth-context.ts";
import { useCall } from "./use-call.ts";
import { type RealtimeRunInstance, type UseRealtimeOptions, useRealtimeRun } from "./use-realtime-run.ts";
import {
  type RealtimeRunWithStreamsInstance,
  useRealtimeRunWithStreams,
} from "./use-realtime-run-with-streams.ts";

type HandleOf<T extends AnyTask> = RunHandle<TaskIdentifier<T>, TaskPayload<T>, TaskOutput<T>>;

export interface TaskTriggerInstance<T extends AnyTask> {
  submit: (payload: TaskPayload<T>, options?: TriggerOptions) => void;
  /** The last run that was triggered. */
  handle: HandleOf<T> | undefined;
  isLoading: boolean;
  error: Error | undefined;
}

/** Triggers a task on `submit`. The token comes from `auth.createTriggerPublicToken`. */
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

export interface UseRealtimeTaskTriggerOptions extends UseRealtimeOptions {
  /** Fields of the run that are not sent. A token can name such fields too. */
  skipColumns?: LiveSkipColumn[];
}

/** Triggers a task on `submit`, and watches the run with the token that the trigger returns. */
export function useRealtimeTaskTrigger<T extends AnyTask>(
  id: TaskIdentifier<T>,
  options: UseRealtimeTaskTriggerOptions = {},
): RealtimeTaskTriggerInstance<T> {
  const { submit, handle, isLoading, error: refused } = useTaskTrigger<T>(id, options);
  const { run, error, stop } = useRealtimeRun<T>(handle?.id, ofRun(handle, options));
  return { submit, handle, isLoading, run, error: refused ?? error, stop };
}

export type RealtimeTaskTriggerWithStreamsInstance<
  T extends AnyTask,
  TStreams extends Record<string, unknown>,
> = TaskTriggerInstance<T> & RealtimeRunWithStreamsInstance<T, TStreams>;

/** Like `useRealtimeTaskTrigger`, and watches the run's streams as well. */
export function useRealtimeTaskTriggerWithStreams<
  T extends AnyTask,
  TStreams extends Record<string, unknown> = Record<string, unknown>,
>(
  id: TaskIdentifier<T>,
  options: UseRealtimeTaskTriggerOptions & { throttleInMs?: number } = {},
): RealtimeTaskTriggerWithStreamsInstance<T, TStreams> {
  const { submit, handle, isLoading, error: refused } = useTaskTrigger<T>(id, options);
  const { run, streams, error, stop } = useRealtimeRunWithStreams<T, TStreams>(
    handle?.id,
    ofRun(handle, options),
  );
  return { submit, handle, isLoading, run, streams, error: refused ?? error, stop };
}

/** The hook watches the run with the token that its trigger returned. */
const ofRun = <T extends object>(handle: { publicAccessToken?: string } | undefined, options: T): T => ({
  ...options,
  ...(handle?.publicAccessToken ? { accessToken: handle.publicAccessToken } : {}),
});
