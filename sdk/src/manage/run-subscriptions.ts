import { resolveSettings } from "../client/configuration.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { parseDuration } from "../contract/api/durations.ts";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import type { AnyRunHandle, AnyTask } from "../define/task-types.ts";
import type { UpdatesOf } from "../live/run-updates.ts";
import type { RetrieveRunResult, RunIdOf } from "./run-types.ts";

/** A run as a subscription shows it: as `runs.retrieve` does, without its relatives. */
export type RealtimeRun<T> = Omit<RetrieveRunResult<T>, "relatedRuns" | "schedule" | "attempts">;

export interface RunSubscription<T> extends AsyncIterable<RealtimeRun<T>> {
  /** Ends the iteration. */
  unsubscribe(): void;
  /** Also the chunks of the run's streams, of each from its first one. Ends when the run is over and all is delivered. */
  withStreams<TStreams extends Record<string, unknown>>(): AsyncIterable<RunOrChunk<T, TStreams>>;
}

/** A state of the run, or a chunk of one of its streams, by the stream's key. */
export type RunOrChunk<T, TStreams extends Record<string, unknown>> =
  | { type: "run"; run: RealtimeRun<T> }
  | {
      [Key in keyof TStreams & string]: { type: Key; chunk: TStreams[Key]; run: RealtimeRun<T> };
    }[keyof TStreams & string];

interface SkipColumns {
  /** What is not sent of runs, by Trigger.dev's names of columns. A public token may say that itself. */
  skipColumns?: LiveSkipColumn[];
}

export interface SubscribeToRunOptions extends ApiRequestOptions, SkipColumns {
  /** False: the iteration continues after the run has ended, for changes of its metadata and tags. Default: true. */
  stopOnCompletion?: boolean;
}

export interface SubscribeToRunsOptions extends ApiRequestOptions, SkipColumns {
  /** How far back runs were created: `"1h"`, `"7d"`. Default: the newest 1,000. */
  createdAt?: string;
}

/**
 * The states of a run as they come, the present one first, over a WebSocket that all subscriptions of the process share.
 * Ends when the run is over. What is taken slowly skips intermediate states.
 * @throws when it is iterated: LiveError if the run does not exist or the key may not read it
 */
export function subscribeToRun<T extends AnyRunHandle | AnyTask | string>(
  run: RunIdOf<T>,
  options: SubscribeToRunOptions = {},
): RunSubscription<T> {
  const given = run as string | { id: string };
  const runId = typeof given === "string" ? given : given.id;
  const { stopOnCompletion = true, skipColumns } = options;
  return subscription({ runId, stopOnCompletion, skipColumns }, options);
}

/** The states of all runs that have these tags, those that exist first. It does not end by itself. */
export function subscribeToRunsWithTag<T extends AnyRunHandle | AnyTask | string = string>(
  tag: string | string[],
  { createdAt, skipColumns, ...options }: SubscribeToRunsOptions = {},
): RunSubscription<T> {
  const period = createdAt === undefined ? null : parseDuration(createdAt);
  if (createdAt !== undefined && period === null)
    throw new TypeError(`createdAt is a duration such as "1h" or "7d", not "${createdAt}"`);
  const from = period === null ? undefined : Date.now() - period;
  return subscription({ tags: [tag].flat(), from, skipColumns }, options);
}

/** The states of the runs of a batch. It does not end by itself. */
export function subscribeToBatch<T extends AnyRunHandle | AnyTask | string = string>(
  batch: string | { batchId: string },
  { skipColumns, ...options }: ApiRequestOptions & SkipColumns = {},
): RunSubscription<T> {
  return subscription({ batchId: typeof batch === "string" ? batch : batch.batchId, skipColumns }, options);
}

function subscription<T>(what: UpdatesOf, options: ApiRequestOptions): RunSubscription<T> {
  // Now: `auth.withAuth` may have ended when it is iterated.
  const settings = resolveSettings(options.clientConfig);
  const request = { clientConfig: settings };
  const controller = new AbortController();
  const { signal } = controller;
  return {
    unsubscribe: () => controller.abort(),
    async *withStreams<TStreams extends Record<string, unknown>>() {
      const { withStreams } = await import("../live/run-streams.ts");
      yield* withStreams(this, settings, signal) as AsyncGenerator<RunOrChunk<T, TStreams>>;
    },
    async *[Symbol.asyncIterator]() {
      const stop = () => controller.abort();
      options.signal?.addEventListener("abort", stop, { once: true });
      if (options.signal?.aborted) stop();
      // Only whoever subscribes needs what it takes.
      const { runUpdates } = await import("../live/run-updates.ts");
      const { baseURL, accessToken } = settings;
      const updates = runUpdates(what, { baseURL, accessToken }, signal, request);
      yield* updates as AsyncGenerator<RealtimeRun<T>>;
    },
  };
}
