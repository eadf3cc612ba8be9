import type { DecodedRun } from "./decoded-run.ts";
import type { LiveSubscription } from "./live-options.ts";
import { type LiveConnection, sharedClient } from "./shared-client.ts";
import { type LiveStore, Store } from "./store.ts";
import { asError, type RunState, type RunStoreOptions, THROTTLE_MS, watchRun } from "./stores.ts";

export interface RunWithStreamsState extends RunState {
  /** The parts of each stream of the run, by its key. */
  streams: Record<string, unknown[]>;
}

export interface RunWithStreamsOptions extends RunStoreOptions {
  /** Minimum milliseconds between two changes of the state. Default 16. */
  throttleMs?: number;
}

interface StreamSoFar {
  parts: unknown[];
  last: number;
  ended: boolean;
}

/** The state of a run and of all of its streams, each from its first part. */
export function runWithStreamsStore(
  runId: string,
  connection: LiveConnection,
  { stopOnCompletion = true, skipColumns, throttleMs = THROTTLE_MS }: RunWithStreamsOptions = {},
): LiveStore<RunWithStreamsState> {
  const watch = watchRun(runId, connection, skipColumns);
  // They outlive a subscription: a client that subscribes again resumes where it stopped.
  const streams = new Map<string, StreamSoFar>();
  let shown: DecodedRun | undefined;
  let error: Error | undefined;
  const state = (): RunWithStreamsState => ({
    run: shown,
    streams: Object.fromEntries([...streams].map(([key, { parts }]) => [key, parts.slice()])),
    error,
  });
  return new Store(state(), throttleMs, (store) => {
    const client = sharedClient(connection);
    const open = new Map<string, LiveSubscription>();
    const changed = () => store.change(state);
    const failed = (cause: unknown): void => {
      error = asError(cause);
      changed();
    };
    const stopIfOver = (): void => {
      const isOver = stopOnCompletion && shown?.finishedAt !== undefined;
      if (isOver && [...streams.values()].every(({ ended }) => ended)) store.stop();
    };
    const read = (key: string): void => {
      const stream = streams.get(key) ?? { parts: [], last: -1, ended: false };
      streams.set(key, stream);
      if (stream.ended || open.has(key)) return;
      const subscription = client.stream(
        runId,
        key,
        (chunks) => {
          for (const { index, chunk } of chunks) {
            stream.parts.push(chunk);
            stream.last = index;
          }
          changed();
        },
        {
          after: stream.last,
          onEnd: () => {
            stream.ended = true;
            changed();
            stopIfOver();
          },
          onError: failed,
        },
      );
      open.set(key, subscription);
    };
    const ofRun = watch((run, { data }) => {
      shown = run;
      error = undefined;
      for (const key of data?.streams ?? []) read(key);
      changed();
      stopIfOver();
    }, failed);
    for (const key of streams.keys()) read(key);
    return {
      unsubscribe: () => {
        ofRun.unsubscribe();
        for (const subscription of open.values()) subscription.unsubscribe();
      },
    };
  });
}
