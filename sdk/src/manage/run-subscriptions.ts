import { resolveSettings } from "../client/configuration.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { parseDuration } from "../contract/api/durations.ts";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import type { AnyRunHandle, AnyTask } from "../define/task-types.ts";
import type { UpdatesOf } from "../live/run-updates.ts";
import type { RetrieveRunResult, RunIdOf } from "./run-types.ts";

/** A run in the form of `runs.retrieve`, without its parent, root and children. */
export type RealtimeRun<T> = Omit<RetrieveRunResult<T>, "relatedRuns" | "schedule" | "attempts">;

export interface RunSubscription<T> extends AsyncIterable<RealtimeRun<T>> {
  /** Ends the iteration. */
  unsubscribe(): void;
  /**
   * Includes the chunks of the run's streams, each from its first one. Ends when the run is finished and
   * everything is delivered.
   */
  withStreams<TStreams extends Record<string, unknown>>(): AsyncIterable<RunOrChunk<T, TStreams>>;
}

/** A state of the run, or a chunk of one of its streams with the stream's key. */
export type RunOrChunk<T, TStreams extends Record<string, unknown>> =
  | { type: "run"; run: RealtimeRun<T> }
  | {
      [Key in keyof TStreams & string]: { type: Key; chunk: TStreams[Key]; run: RealtimeRun<T> };
    }[keyof TStreams & string];

interface SkipColumns {
  /**
   * Fields of runs that are not sent, by Trigger.dev's column names. A public token can name such fields too.
   */
  skipColumns?: LiveSkipColumn[];
}

export interface SubscribeToRunOptions extends ApiRequestOptions, SkipColumns {
  /** False: the iteration continues after the run has ended, for changes of its metadata and tags. Default: true. */
  stopOnCompletion?: boolean;
}

export interface SubscribeToRunsOptions extends ApiRequestOptions, SkipColumns {
  /** Only runs created within this time: `"1h"`, `"7d"`. Default: the newest 1,000. */
  createdAt?: string;
}

/**
 * Iterates over the states of a run, beginning with the current one, over a WebSocket that all subscriptions
 * of the process share. Ends when the run is finished. A slow consumer misses intermediate states.
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

/**
 * Iterates over the states of all runs that have these tags, existing ones first. It does not end by itself.
 */
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

/** Iterates over the states of the runs of a batch. It does not end by itself. */
export function subscribeToBatch<T extends AnyRunHandle | AnyTask | string = string>(
  batch: string | { batchId: string },
  { skipColumns, ...options }: ApiRequestOptions & SkipColumns = {},
): RunSubscription<T> {
  return subscription({ batchId: typeof batch === "string" ? batch : batch.batchId, skipColumns }, options);
}

function subscription<T>(what: UpdatesOf, options: ApiRequestOptions): RunSubscription<T> {
  // Read now, because `auth.withAuth` may have ended by the time of the iteration.
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
      // Loaded here, so that only programs that subscribe load the live client.
      const { runUpdates } = await import("../live/run-updates.ts");
      const { baseURL, accessToken } = settings;
      const updates = runUpdates(what, { baseURL, accessToken }, signal, request);
      yield* updates as AsyncGenerator<RealtimeRun<T>>;
    },
  };
}
