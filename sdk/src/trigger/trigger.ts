import { NotFoundError } from "../client/api-errors.ts";
import { environmentVariable, resolveSettings } from "../client/configuration.ts";
import { scopedConfiguration } from "../client/configuration-scope.ts";
import { decodePacket, encodePacket, JSON_TYPE, STORE_TYPE } from "../client/packet.ts";
import { request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { downloadPacket, runPath } from "../client/runs-api.ts";
import { OPERATION_HEADER } from "../contract/api/operations.ts";
import type { OperationResult } from "../contract/journal.ts";
import { checkLimitName } from "../define/concurrency.ts";
import type { RunHandle } from "../define/task-types.ts";
import { currentRun } from "../run/state.ts";
import { durableScope, waitScope } from "../wait/durable.ts";
import { errorOf, failedCall, failureOfCall, readValue, recordedValue } from "../wait/operation-errors.ts";
import { triggeringRun } from "./caller.ts";
import { idempotencyKeyOptions, toIdempotencyKey } from "./idempotency-keys.ts";
import { TaskRunPromise, type TaskRunResult } from "./task-run-promise.ts";
import { traceHeader } from "./trace-header.ts";
import type { TriggerAndWaitOptions, TriggerOptions } from "./trigger-options.ts";

/** A call of any of the trigger functions. */
export interface TriggerCall {
  taskId: string;
  payload: unknown;
  /** Checks the payload and returns the one to send. */
  parse?: (payload: unknown) => unknown;
  /** The task's own queue. */
  queue?: string;
  options: TriggerOptions | undefined;
  requestOptions: ApiRequestOptions | undefined;
  /** See `callSite`. */
  site: string | undefined;
}

/** Calls `POST /api/v1/tasks/:id/trigger`. Inside a run, this is a durable operation. */
export async function triggerTask<TIdentifier extends string, TInput, TOutput>(
  call: TriggerCall & { taskId: TIdentifier },
): Promise<RunHandle<TIdentifier, TInput, TOutput>> {
  const found = durableScope();
  if (!found) return send(call, undefined, {});
  return found.scope.operation({
    kind: "trigger",
    name: call.taskId,
    site: call.site,
    start: async ({ id }) => {
      try {
        const handle = await send(call, id, {});
        return { target: handle.id, result: recordedValue(handle) };
      } catch (error) {
        return { result: failedCall(error) };
      }
    },
    read: (result, target) =>
      // The server may report the end of the operation before this process knows which run it is.
      result.ok && !result.output
        ? { id: target as string, taskIdentifier: call.taskId }
        : readValue<RunHandle<TIdentifier, TInput, TOutput>>(result),
  });
}

/**
 * Triggers a run and waits until it has finished.
 * @throws in the promise: ApiError if the run could not be triggered; Error outside of a run
 */
export function triggerTaskAndWait<TIdentifier extends string, TOutput>(
  call: Omit<TriggerCall, "options"> & { taskId: TIdentifier; options: TriggerAndWaitOptions | undefined },
): TaskRunPromise<TIdentifier, TOutput> {
  return new TaskRunPromise(waitForTask<TIdentifier, TOutput>(call), call.taskId);
}

/** How many seconds one request waits for the end of a run: less than the client's timeout. */
const WAIT_SECONDS = 30;

/**
 * Triggers a run from outside of a run and returns its result. If the run finishes soon, the answer to the
 * trigger carries the result; otherwise it is polled.
 * @throws ApiError or a subclass; Error inside a run
 */
export async function triggerTaskAndPoll<TIdentifier extends string, TOutput>(
  call: TriggerCall & { taskId: TIdentifier },
): Promise<TaskRunResult<TIdentifier, TOutput>> {
  if (currentRun()) throw new Error("triggerAndPoll() can't be used inside a run: use triggerAndWait()");
  const { id, result } = await send<TIdentifier, unknown, TOutput>(
    call,
    undefined,
    {},
    `?wait=${WAIT_SECONDS}`,
  );
  const over = result ?? (await untilOver(id, call.requestOptions));
  return resultOf<TIdentifier, TOutput>(id, call.taskId, over);
}

/**
 * Triggers a run and returns its result, using a live subscription instead of polling. Works in any runtime;
 * inside a run the process waits, and the run is not suspended. Aborting ends the wait, and with
 * `cancelOnAbort` the run too.
 * @throws ApiError or a subclass; LiveError; the signal's reason when it is aborted
 */
export function triggerTaskAndSubscribe<TIdentifier extends string, TOutput>(
  call: TriggerCall & { taskId: TIdentifier },
  { signal, cancelOnAbort = true }: { signal?: AbortSignal; cancelOnAbort?: boolean } = {},
): TaskRunPromise<TIdentifier, TOutput> {
  return new TaskRunPromise(subscribeToEnd<TIdentifier, TOutput>(call, signal, cancelOnAbort), call.taskId);
}

async function subscribeToEnd<TIdentifier extends string, TOutput>(
  call: TriggerCall & { taskId: TIdentifier },
  signal: AbortSignal | undefined,
  cancelOnAbort: boolean,
): Promise<TaskRunResult<TIdentifier, TOutput>> {
  signal?.throwIfAborted();
  const settings = resolveSettings(call.requestOptions?.clientConfig);
  const options = { ...call.requestOptions, clientConfig: settings };
  const { id } = await triggerTask(call);
  const { runUpdates } = await import("../live/run-updates.ts");
  const { baseURL, accessToken } = settings;
  const never = new AbortController().signal;
  const updates = runUpdates(
    { runId: id, stopOnCompletion: true },
    { baseURL, accessToken },
    signal ?? never,
    options,
  );
  for await (const run of updates) {
    if (run.finishedAt === undefined) continue;
    return resultOf<TIdentifier, TOutput>(id, call.taskId, await untilOver(id, options));
  }
  if (cancelOnAbort) await request({ method: "POST", path: runPath("v2", id, "/cancel") }, options);
  throw signal?.reason;
}

async function untilOver(id: string, options: ApiRequestOptions | undefined): Promise<OperationResult> {
  const call = { method: "GET", path: runPath("v1", id, `/result?wait=${WAIT_SECONDS}`) } as const;
  for (;;) {
    try {
      return (await request<OperationResult>(call, options)).data;
    } catch (error) {
      if (!(error instanceof NotFoundError && error.code === "run_not_finished")) throw error;
    }
  }
}

async function waitForTask<TIdentifier extends string, TOutput>(
  call: TriggerCall & { taskId: TIdentifier },
): Promise<TaskRunResult<TIdentifier, TOutput>> {
  const { run, scope } = waitScope("triggerAndWait()");
  return scope.operation({
    kind: "run",
    name: call.taskId,
    site: call.site,
    start: async ({ id }) => {
      try {
        const more = { resumeParentOnCompletion: true, lockToVersion: run.ctx.run.version };
        return { target: (await send(call, id, more)).id };
      } catch (error) {
        return { result: failedCall(error) };
      }
    },
    wait: ({ target }) => ({ type: "task", runId: target ?? "" }),
    read: async (result, target) => {
      const failure = result.ok ? undefined : failureOfCall(result.error);
      if (failure) throw failure;
      return resultOf<TIdentifier, TOutput>(target as string, call.taskId, result);
    },
  });
}

/** Returns the result of a run, with a large output downloaded. */
export async function resultOf<TIdentifier extends string, TOutput>(
  id: string,
  taskIdentifier: TIdentifier,
  result: OperationResult,
): Promise<TaskRunResult<TIdentifier, TOutput>> {
  if (!result.ok) return { ok: false, id, taskIdentifier, error: errorOf(result.error) };
  const { output: data, outputType = JSON_TYPE } = result;
  const output = outputType === STORE_TYPE ? await downloadPacket(data) : decodePacket(data, outputType);
  return { ok: true, id, taskIdentifier, output: output as TOutput };
}

async function send<TIdentifier extends string, TInput, TOutput>(
  call: TriggerCall & { taskId: TIdentifier },
  operation: string | undefined,
  more: object,
  query = "",
): Promise<RunHandle<TIdentifier, TInput, TOutput> & { result?: OperationResult }> {
  // The payload is checked here so that the caller gets the error, and sent as parsed, so that defaults are
  // filled in.
  const payload: unknown = call.parse ? await call.parse(call.payload) : call.payload;
  const packet = encodePacket(payload);
  const body = {
    // Plain JSON is embedded as it is, instead of as a string.
    payload: packet.dataType === JSON_TYPE ? payload : packet.data,
    options: {
      ...(await sentOptions(call.options, call.queue)),
      payloadType: packet.dataType,
      parentRunId: triggeringRun()?.id,
      ...more,
    },
  };
  const path = `/api/v1/tasks/${encodeURIComponent(call.taskId)}/trigger${query}`;
  const { data, response } = await request<{ id: string; isCached?: boolean; result?: OperationResult }>(
    { method: "POST", path, body },
    withOperation(call.requestOptions, operation),
  );
  return {
    ...data,
    publicAccessToken: response.headers.get("x-trigger-jwt") ?? undefined,
    taskIdentifier: call.taskId,
  };
}

/**
 * Returns the options of a triggering call, with the headers for the caller's trace and for its durable
 * operation.
 */
export const withOperation = (
  options: ApiRequestOptions | undefined,
  operation: string | undefined,
): ApiRequestOptions =>
  // Another server or environment does not know this run.
  ({
    ...options,
    additionalHeaders: {
      ...traceHeader(),
      ...options?.additionalHeaders,
      ...(operation === undefined || options?.clientConfig || scopedConfiguration()?.isIsolated
        ? {}
        : { [OPERATION_HEADER]: operation }),
    },
  });

const NOT_YET = ["externalDeploymentId"] as const;

/**
 * Returns the trigger options as the API names them. `defaultKey` is the idempotency key if the options have
 * none.
 */
export async function sentOptions(
  options: TriggerOptions | undefined,
  defaultQueue: string | undefined,
  defaultKey?: string,
): Promise<object> {
  for (const name of NOT_YET) {
    if (options && name in options)
      throw new Error(`The trigger option "${name}" is not available in Acme yet`);
  }
  const key = (await toIdempotencyKey(options?.idempotencyKey)) ?? defaultKey;
  const queue = options?.queue ?? defaultQueue;
  return {
    queue: typeof queue === "string" ? { name: queue } : queue,
    concurrencyKey: options?.concurrencyKey,
    concurrency: limitsOf(options?.concurrency),
    test: triggeringRun()?.isTest,
    idempotencyKey: key,
    idempotencyKeyTTL: options?.idempotencyKeyTTL,
    idempotencyKeyOptions: key ? idempotencyKeyOptions(key) : undefined,
    delay: options?.delay,
    debounce: options?.debounce,
    ttl: options?.ttl,
    tags: options?.tags,
    maxAttempts: options?.maxAttempts,
    metadata: options?.metadata,
    maxDuration: options?.maxDuration,
    machine: options?.machine,
    priority: options?.priority,
    lockToVersion:
      options?.version ?? environmentVariable("ACME_VERSION") ?? environmentVariable("TRIGGER_VERSION"),
  };
}

function limitsOf(concurrency: TriggerOptions["concurrency"]): string[] | undefined {
  if (concurrency === undefined) return undefined;
  const names = [concurrency].flat();
  for (const name of names) checkLimitName(name);
  if (names.length > 2) throw new Error('The trigger option "concurrency" takes at most two limits');
  return names;
}
