/**
 * Live subscriptions for Svelte 5. A store opens its subscription when an effect or a template reads it, and
 * closes it when none reads it any more. Create it in `$derived` if the watched object may change:
 *
 *   const live = createLive({ baseURL, accessToken });
 *   const run = $derived(live.run(runId));
 *   {run.current?.status}
 */
import { createSubscriber } from "svelte/reactivity";
import { sendInput } from "../client/input-streams-api.ts";
import type { LiveFilter, LiveLogLine } from "../contract/live.ts";
import { type RunWithStreamsOptions, runWithStreamsStore } from "../live/run-with-streams-store.ts";
import { requestOptionsOf } from "../live/shared-client.ts";
import type { LiveStore } from "../live/store.ts";
import {
  logsStore,
  type RunStoreOptions,
  type RunsState,
  type RunsStoreOptions,
  runStore,
  runsStore,
  type StreamStoreOptions,
  streamStore,
} from "../live/stores.ts";
import type { RealtimeRun } from "../manage/run-subscriptions.ts";

export type { RealtimeRun };

export interface LiveOptions {
  /** The server. */
  baseURL?: string;
  /** A public token, or a function that returns one. */
  accessToken?: string | (() => string | Promise<string>);
}

export interface LiveValue<T> {
  readonly current: T;
  /** Why the subscription ended, for example because the token does not allow it. */
  readonly error: Error | undefined;
  /** Ends the subscription and keeps the current state. */
  stop(): void;
}

export interface LiveRuns<T> extends LiveValue<RealtimeRun<T>[]> {
  /** True: older runs match as well. */
  readonly more: boolean;
}

export interface LiveStream<T> extends LiveValue<T[]> {
  /** True: the run is finished, and all parts have arrived. */
  readonly ended: boolean;
}

export interface LiveRunWithStreams<T, TStreams extends Record<string, unknown>>
  extends LiveValue<RealtimeRun<T> | undefined> {
  /** The parts of each stream that has any, by its key. */
  readonly streams: { [Key in keyof TStreams]?: TStreams[Key][] };
}

export interface Live {
  /** One run. `skipColumns`: fields that are not sent, by Trigger.dev's column names. */
  run<T = unknown>(runId: string, options?: RunStoreOptions): LiveValue<RealtimeRun<T> | undefined>;
  /** One run and all of its streams. */
  runWithStreams<T = unknown, TStreams extends Record<string, unknown> = Record<string, unknown>>(
    runId: string,
    options?: RunWithStreamsOptions,
  ): LiveRunWithStreams<T, TStreams>;
  /** The newest runs that a filter matches, newest first. `limit`: 1 to 1000, 100 by default. */
  runs<T = unknown>(filter: LiveFilter, options?: RunsStoreOptions): LiveRuns<T>;
  /** The runs of a batch, newest first. */
  batch<T = unknown>(batchId: string, options?: RunsStoreOptions): LiveRuns<T>;
  /** The log of a run: its newest `maxLines`, 10,000 by default. */
  logs(runId: string, options?: { maxLines?: number; throttleMs?: number }): LiveValue<LiveLogLine[]>;
  /** The parts of a run's stream. */
  stream<T = unknown>(runId: string, key: string, options?: StreamStoreOptions<T>): LiveStream<T>;
  /** Sends a value to an input stream of a run. @throws ApiError */
  sendInput<T = unknown>(runId: string, key: string, value: T): Promise<void>;
}

/** All stores of a server and a token share one connection. */
export function createLive(connection: LiveOptions): Live {
  return {
    run<T>(runId: string, options?: RunStoreOptions): LiveValue<RealtimeRun<T> | undefined> {
      const store = runStore(runId, connection, options);
      return liveValue(store, ({ run }) => run as RealtimeRun<T> | undefined);
    },
    runWithStreams<T, TStreams extends Record<string, unknown>>(
      runId: string,
      options?: RunWithStreamsOptions,
    ): LiveRunWithStreams<T, TStreams> {
      const store = tracked(runWithStreamsStore(runId, connection, options));
      return {
        get current() {
          return store.get().run as RealtimeRun<T> | undefined;
        },
        get streams() {
          return store.get().streams as LiveRunWithStreams<T, TStreams>["streams"];
        },
        get error() {
          return store.get().error;
        },
        stop: store.stop,
      };
    },
    runs: (filter, options) => liveRuns(runsStore({ filter }, connection, options)),
    batch: (batchId, options) => liveRuns(runsStore({ batchId }, connection, options)),
    sendInput: async (runId, key, value) => sendInput(runId, key, value, await requestOptionsOf(connection)),
    logs: (runId, options) => liveValue(logsStore(runId, connection, options), ({ lines }) => lines),
    stream<T>(runId: string, key: string, options?: StreamStoreOptions<T>): LiveStream<T> {
      const store = tracked(streamStore<T>(runId, key, connection, options));
      return {
        get current() {
          return store.get().parts;
        },
        get ended() {
          return store.get().ended;
        },
        get error() {
          return store.get().error;
        },
        stop: store.stop,
      };
    },
  };
}

interface Tracked<S> {
  /** The effect that calls this runs again when the state changes. */
  get(): S;
  stop(): void;
}

function tracked<S>(store: LiveStore<S>): Tracked<S> {
  const track = createSubscriber((update) => store.subscribe(update));
  return {
    get: () => {
      track();
      return store.get();
    },
    stop: () => store.stop(),
  };
}

function liveValue<S extends { error: Error | undefined }, T>(
  untracked: LiveStore<S>,
  read: (state: S) => T,
): LiveValue<T> {
  const store = tracked(untracked);
  return {
    get current() {
      return read(store.get());
    },
    get error() {
      return store.get().error;
    },
    stop: store.stop,
  };
}

function liveRuns<T>(untracked: LiveStore<RunsState>): LiveRuns<T> {
  const store = tracked(untracked);
  return {
    get current() {
      return store.get().runs as RealtimeRun<T>[];
    },
    get more() {
      return store.get().more;
    },
    get error() {
      return store.get().error;
    },
    stop: store.stop,
  };
}
