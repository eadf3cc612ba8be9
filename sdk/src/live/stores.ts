import { downloadRunPacket } from "../client/runs-api.ts";
import type { LiveFilter, LiveLogLine, LiveRun } from "../contract/live.ts";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import { type DecodedRun, type Download, decodedRun } from "./decoded-run.ts";
import type { LiveSubscription } from "./live-options.ts";
import { type LiveConnection, requestOptionsOf, sharedClient } from "./shared-client.ts";
import { type LiveStore, Store } from "./store.ts";
import type { LiveChunk } from "./watches.ts";

export const downloadWith =
  (connection: LiveConnection): Download =>
  async (runId, field) =>
    downloadRunPacket(runId, field, await requestOptionsOf(connection));

export interface RunState {
  run: DecodedRun | undefined;
  error: Error | undefined;
}

export interface RunStoreOptions {
  /** Whether the subscription ends with the run. Default: true. */
  stopOnCompletion?: boolean;
  /** What is not sent of runs. */
  skipColumns?: LiveSkipColumn[];
}

export function runStore(
  runId: string,
  connection: LiveConnection,
  { stopOnCompletion = true, skipColumns }: RunStoreOptions = {},
): LiveStore<RunState> {
  const watch = watchRun(runId, connection, skipColumns);
  return new Store<RunState>({ run: undefined, error: undefined }, 0, (store) =>
    watch(
      (run, { finishedAt }) => {
        store.change(() => ({ run, error: undefined }));
        if (stopOnCompletion && finishedAt !== undefined) store.stop();
      },
      (error) => store.change(() => ({ ...store.get(), error: asError(error) })),
    ),
  );
}

/**
 * Subscribes to the states of a run, with its payload and output decoded. Each is later than the one before, also after a
 * subscription ended and another began: a download may take longer than the next change.
 */
export function watchRun(runId: string, connection: LiveConnection, skipColumns?: LiveSkipColumn[]) {
  const download = downloadWith(connection);
  let shown = -1;
  return (
    show: (run: DecodedRun, live: LiveRun) => void,
    failed: (error: unknown) => void,
  ): LiveSubscription =>
    sharedClient(connection).run(
      runId,
      ({ run }) =>
        whenReady(
          () => decodedRun(run, download),
          (decoded) => {
            if (run.position < shown) return;
            shown = run.position;
            show(decoded, run);
          },
          failed,
        ),
      { onError: failed, skipColumns },
    );
}

export interface RunsState {
  /** Newest first. */
  runs: DecodedRun[];
  /** True: older runs match as well. */
  more: boolean;
  error: Error | undefined;
}

export type RunsTarget = { filter: LiveFilter } | { batchId: string };

export interface RunsStoreOptions {
  /** 1 to 1,000. */
  limit?: number;
  /** What is not sent of runs. */
  skipColumns?: LiveSkipColumn[];
}

export function runsStore(
  target: RunsTarget,
  connection: LiveConnection,
  { limit, skipColumns }: RunsStoreOptions = {},
): LiveStore<RunsState> {
  const download = downloadWith(connection);
  let decoded = new Map<string, { position: number; run: DecodedRun | Promise<DecodedRun> }>();
  let turn = 0;
  const initial: RunsState = { runs: [], more: false, error: undefined };
  return new Store(initial, 0, (store) => {
    const failed = (error: unknown) => store.change(() => ({ ...store.get(), error: asError(error) }));
    const listener = ({ runs, more }: { runs: LiveRun[]; more: boolean }): void => {
      turn += 1;
      const current = turn;
      const next: typeof decoded = new Map();
      const values = () =>
        runs.map((run) => {
          const known = decoded.get(run.id);
          const same = known?.position === run.position ? known : undefined;
          const entry = same ?? { position: run.position, run: decodedRun(run, download) };
          next.set(run.id, entry);
          return entry.run;
        });
      whenReady(
        () => {
          const all = values();
          decoded = next;
          return all.some((run) => run instanceof Promise) ? Promise.all(all) : (all as DecodedRun[]);
        },
        (shown) => {
          if (current === turn) store.change(() => ({ runs: shown, more, error: undefined }));
        },
        failed,
      );
    };
    const client = sharedClient(connection);
    const options = { limit, skipColumns, data: true };
    return "batchId" in target
      ? client.batch(target.batchId, listener, { ...options, onError: failed })
      : client.runs({ ...options, filter: target.filter }, listener, { onError: failed });
  });
}

export interface LogsState {
  lines: LiveLogLine[];
  error: Error | undefined;
}

/** Keeps the newest `maxLines`. */
export function logsStore(
  runId: string,
  connection: LiveConnection,
  { maxLines = 10_000, throttleMs = THROTTLE_MS }: { maxLines?: number; throttleMs?: number } = {},
): LiveStore<LogsState> {
  const lines: LiveLogLine[] = [];
  let last = 0;
  return new Store<LogsState>({ lines: [], error: undefined }, throttleMs, (store) =>
    sharedClient(connection).logs(
      runId,
      (more) => {
        last = more.at(-1)?.seq ?? last;
        append(lines, more, maxLines);
        store.change(() => ({ lines: lines.slice(), error: undefined }));
      },
      {
        after: last,
        onError: (error) => store.change(() => ({ lines: lines.slice(), error })),
      },
    ),
  );
}

export interface StreamState<T> {
  parts: T[];
  /** Number of the last part. */
  last: number | undefined;
  /** True: the run is finished, and all parts have arrived. */
  ended: boolean;
  error: Error | undefined;
}

export interface StreamStoreOptions<T> {
  /** Only parts after this number. */
  after?: number;
  from?: "start" | "latest";
  /** The number of newest parts to keep. Default: all. */
  maxParts?: number;
  /** Default 16. */
  throttleMs?: number;
  /** Ends the subscription when no part has arrived for this long. Default: it ends with the run. */
  timeoutMs?: number;
  onParts?: (parts: LiveChunk<T>[]) => void;
}

export function streamStore<T>(
  runId: string,
  key: string,
  connection: LiveConnection,
  { after, from, maxParts, throttleMs = THROTTLE_MS, timeoutMs, onParts }: StreamStoreOptions<T> = {},
): LiveStore<StreamState<T>> {
  const parts: T[] = [];
  const state = { last: after, ended: false, error: undefined as Error | undefined };
  const initial: StreamState<T> = { parts: [], ...state };
  return new Store(initial, throttleMs, (store) => {
    const changed = () => store.change(() => ({ parts: parts.slice(), ...state }));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      clearTimeout(timer);
      if (timeoutMs !== undefined) timer = setTimeout(() => store.stop(), timeoutMs);
    };
    wait();
    const { unsubscribe } = sharedClient(connection).stream<T>(
      runId,
      key,
      (chunks) => {
        const values = chunks.map(({ chunk }) => chunk);
        state.last = chunks.at(-1)?.index ?? state.last;
        state.error = undefined;
        append(parts, values, maxParts);
        onParts?.(chunks);
        changed();
        wait();
      },
      {
        ...(state.last === undefined ? {} : { after: state.last }),
        ...(from ? { from } : {}),
        onEnd: () => {
          state.ended = true;
          changed();
        },
        onError: (error) => {
          state.error = error;
          changed();
        },
      },
    );
    return {
      unsubscribe: () => {
        clearTimeout(timer);
        unsubscribe();
      },
    };
  });
}

/** One frame of a display: streamed text is not shown more often. */
export const THROTTLE_MS = 16;

function append<T>(list: T[], more: T[], max = Number.POSITIVE_INFINITY): void {
  for (const item of more) list.push(item);
  if (list.length > max) list.splice(0, list.length - max);
}

/** Calls `use` synchronously if the value is not a promise. */
export function whenReady<T>(
  value: () => T | Promise<T>,
  use: (value: T) => void,
  failed: (error: unknown) => void,
): void {
  try {
    const found = value();
    if (found instanceof Promise) found.then(use).catch(failed);
    else use(found);
  } catch (error) {
    failed(error);
  }
}

export const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
