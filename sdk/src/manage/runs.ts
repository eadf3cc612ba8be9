import { ApiPromise } from "../client/api-promise.ts";
import type { CursorPagePromise } from "../client/cursor-page.ts";
import { encodePacket, JSON_TYPE, SUPERJSON_TYPE, TEXT_TYPE } from "../client/packet.ts";
import { request, sleep } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { retrieveRun, withRelatedDates } from "../client/retrieve-run.ts";
import { listRunPages, runPath } from "../client/runs-api.ts";
import type { AnyRunHandle, AnyTask } from "../define/task-types.ts";
import type { ReadStreamOptions } from "../streams/read-stream.ts";
import type { TriggerOptions } from "../trigger/trigger-options.ts";
import { bulk } from "./bulk-actions.ts";
import { subscribeToBatch, subscribeToRun, subscribeToRunsWithTag } from "./run-subscriptions.ts";
import type {
  ListProjectRunsQueryParams,
  ListRunResponseItem,
  ListRunsQueryParams,
  RetrievedRun,
  RetrieveRunResult,
  RunIdOf,
} from "./run-types.ts";

type AnyRun = RetrievedRun<string, unknown, unknown>;

const idOf = (run: string | { id: string }): string => {
  const id = typeof run === "string" ? run : run?.id;
  if (typeof id !== "string" || id === "")
    throw new TypeError("A run is identified by its id or by the handle that trigger() returned");
  return id;
};

/**
 * Retrieves a run with its payload, output and error. Large payloads and outputs are downloaded.
 * @throws NotFoundError if the key's environment has no such run
 */
function retrieve<T extends AnyRunHandle | AnyTask | string>(
  run: RunIdOf<T>,
  options?: ApiRequestOptions,
): ApiPromise<RetrieveRunResult<T>> {
  const id = idOf(run as string | AnyRunHandle);
  return new ApiPromise(
    retrieveRun(id, options) as Promise<{ data: RetrieveRunResult<T>; response: Response }>,
  );
}

/**
 * Lists runs, newest first. Await the result for one page, or iterate over all runs with `for await`. If the
 * first argument is a project's reference, lists the runs of all its environments; that takes a personal
 * access token as key.
 */
function list(projectRef: string, params?: ListProjectRunsQueryParams, options?: ApiRequestOptions): RunPages;
function list(params?: ListRunsQueryParams, options?: ApiRequestOptions): RunPages;
function list(
  first?: string | ListRunsQueryParams,
  second?: ListProjectRunsQueryParams | ApiRequestOptions,
  third?: ApiRequestOptions,
): RunPages {
  if (typeof first === "string") {
    const path = `/api/v1/projects/${encodeURIComponent(first)}/runs`;
    return listRunPages(path, (second as ListProjectRunsQueryParams | undefined) ?? {}, third);
  }
  return listRunPages("/api/v1/runs", first ?? {}, second as ApiRequestOptions | undefined);
}
type RunPages = CursorPagePromise<ListRunResponseItem>;

interface CancelRunOptions extends ApiRequestOptions {
  /** False: children and batches that the run waits for are not canceled. Default: true. */
  children?: boolean;
}

/**
 * Cancels a run and the runs it waits for. If it is executing, its `signal` is aborted. A finished run is not
 * changed.
 * @throws NotFoundError if the key's environment has no such run
 */
function cancel(run: string | AnyRunHandle, options: CancelRunOptions = {}): ApiPromise<{ id: string }> {
  const { children, ...more } = options;
  const body = children === undefined ? undefined : { children };
  return new ApiPromise(
    request<{ id: string }>({ method: "POST", path: runPath("v2", idOf(run), "/cancel"), body }, more),
  );
}

export type ReplayRunOptions = Pick<
  TriggerOptions,
  | "metadata"
  | "tags"
  | "queue"
  | "concurrencyKey"
  | "machine"
  | "version"
  | "delay"
  | "ttl"
  | "idempotencyKeyTTL"
  | "maxAttempts"
  | "maxDuration"
  | "priority"
> & {
  /** Default: the original run's. */
  payload?: unknown;
  /** Used as it is: the key is not scoped to the current run. */
  idempotencyKey?: string;
};

/**
 * Triggers a new run of the same task, with the original's payload and options unless `options` replace them.
 */
function replay(
  run: string | AnyRunHandle,
  options?: ReplayRunOptions,
  requestOptions?: ApiRequestOptions,
): ApiPromise<{ id: string }> {
  return new ApiPromise(
    request<{ id: string }>(
      { method: "POST", path: runPath("v1", idOf(run), "/replay"), body: options && replayBody(options) },
      requestOptions,
    ),
  );
}

function replayBody(options: ReplayRunOptions): object {
  if (options.payload === undefined) return options;
  const packet = encodePacket(options.payload);
  // The endpoint takes only JSON and superjson.
  if (packet.dataType === JSON_TYPE || packet.dataType === TEXT_TYPE)
    return { ...options, payloadType: JSON_TYPE };
  return { ...options, payload: packet.data, payloadType: SUPERJSON_TYPE };
}

/** Changes the start of a DELAYED run: `{ delay: "1h" }`, counted from now, or a date. */
function reschedule(
  run: string | AnyRunHandle,
  body: { delay: string | Date },
  options?: ApiRequestOptions,
): ApiPromise<RetrieveRunResult<string>> {
  const call = { method: "POST", path: runPath("v1", idOf(run), "/reschedule"), body } as const;
  const response = request<AnyRun>(call, options).then(({ data, response }) => ({
    data: withRelatedDates(data),
    response,
  }));
  return new ApiPromise(response);
}

const MAX_POLLS = 500;

/**
 * Retrieves a run repeatedly until it is in a final state.
 * @param options.pollIntervalMs milliseconds between two polls; default 1,000
 * @throws Error if the run is not in a final state after 500 polls
 */
async function poll<T extends AnyRunHandle | AnyTask | string>(
  run: RunIdOf<T>,
  options?: { pollIntervalMs?: number },
  requestOptions?: ApiRequestOptions,
): Promise<RetrieveRunResult<T>> {
  const id = idOf(run as string | AnyRunHandle);
  for (let polls = 1; ; polls++) {
    const { data } = await retrieveRun(id, requestOptions);
    if (data.isCompleted) return data as RetrieveRunResult<T>;
    if (polls === MAX_POLLS) throw new Error(`Run ${id} was not in a final state after ${MAX_POLLS} polls`);
    await sleep(options?.pollIntervalMs ?? 1_000, requestOptions?.signal);
  }
}

/**
 * Iterates over the chunks of a run's stream as they arrive; ends with the run. Reconnects if the connection
 * breaks.
 * @throws when it is iterated: ApiError
 */
async function fetchStream<T>(
  runId: string,
  key: string,
  options?: ReadStreamOptions,
): Promise<AsyncIterable<T>> {
  const { streams } = await import("../streams/streams.ts");
  return streams.read<T>(runId, key, options);
}

export const runs = {
  bulk,
  retrieve,
  list,
  cancel,
  replay,
  reschedule,
  poll,
  subscribeToRun,
  subscribeToRunsWithTag,
  subscribeToBatch,
  fetchStream,
};
