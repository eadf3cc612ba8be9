import { useCallback, useEffect, useRef } from "react";
import { type StreamState, streamStore } from "../live/stores.ts";
import type { LiveChunk } from "../live/watches.ts";
import { useConnection } from "./auth-context.ts";
import type { UseRealtimeOptions } from "./use-realtime-run.ts";
import { useStore } from "./use-store.ts";

export interface UseRealtimeStreamOptions<T> extends UseRealtimeOptions {
  /** Number of the first part, from 0. Default: 0. */
  startIndex?: number;
  /** `latest`: begins at the last part that exists. */
  from?: "beginning" | "latest";
  /** The number of newest parts to keep. Default: all. */
  maxParts?: number;
  /** Minimum milliseconds between two renders. Default: 16. */
  throttleInMs?: number;
  /**
   * The `lastEventId` from before the page was reloaded: reading resumes after that part. Takes precedence
   * over the other options.
   */
  lastEventId?: string | number;
  /** Ends the subscription when no part has arrived for this long. Default: it ends with the run. */
  timeoutInSeconds?: number;
  /** Called with each part. */
  onData?: (part: T) => void;
  /** Called with the parts that arrived together. */
  onParts?: (parts: StreamPart<T>[]) => void;
}

/** A part with its number and the time when it was stored, in milliseconds since the epoch. */
export interface StreamPart<T> {
  id: string;
  chunk: T;
  timestamp: number;
}

export interface RealtimeStreamInstance<T> {
  parts: T[];
  /** Number of the last part. */
  lastEventId: string | undefined;
  /** True: the run is finished, and all parts have arrived. */
  ended: boolean;
  error: Error | undefined;
  /** Ends the subscription. */
  stop: () => void;
}

/** A stream definition, as returned by `streams.define`. */
export interface DefinedStream<T> {
  id: string;
  read(runId: string): Promise<AsyncIterable<T>>;
}

/** Returns the number of the last known part; undefined if there is none. */
function afterOf(
  lastEventId: string | number | undefined,
  startIndex: number | undefined,
): number | undefined {
  if (lastEventId === undefined) return startIndex === undefined ? undefined : startIndex - 1;
  const last = Number(lastEventId);
  if (!Number.isSafeInteger(last) || last < -1)
    throw new TypeError(
      `lastEventId has to be a value that the hook returned as lastEventId, not "${lastEventId}"`,
    );
  return last;
}

const EMPTY: StreamState<never> = { parts: [], last: undefined, ended: false, error: undefined };

/**
 * Subscribes to the parts of a run's stream: `useRealtimeStream(runId, key)` or `useRealtimeStream(stream,
 * runId)`.
 */
export function useRealtimeStream<T>(
  stream: DefinedStream<T>,
  runId: string | undefined,
  options?: UseRealtimeStreamOptions<T>,
): RealtimeStreamInstance<T>;
export function useRealtimeStream<T>(
  runId: string | undefined,
  key: string,
  options?: UseRealtimeStreamOptions<T>,
): RealtimeStreamInstance<T>;
export function useRealtimeStream<T>(
  runId: string | undefined,
  options?: UseRealtimeStreamOptions<T>,
): RealtimeStreamInstance<T>;
export function useRealtimeStream<T>(
  first: DefinedStream<T> | string | undefined,
  second?: string | UseRealtimeStreamOptions<T>,
  third?: UseRealtimeStreamOptions<T>,
): RealtimeStreamInstance<T> {
  const isDefined = typeof first === "object";
  const named = typeof second === "string" ? second : undefined;
  const runId = isDefined ? named : first;
  const key = isDefined ? first.id : (named ?? "default");
  const options = (isDefined || named !== undefined ? third : (second as typeof third)) ?? {};
  const connection = useConnection(options);
  const { enabled = true, startIndex, from, maxParts, throttleInMs, lastEventId, timeoutInSeconds } = options;
  const watched = enabled ? runId : undefined;
  const { onData, onParts: onOwnParts } = options;
  const latest = useRef({ onData, onParts: onOwnParts });
  useEffect(() => {
    latest.current = { onData, onParts: onOwnParts };
  }, [onData, onOwnParts]);
  const onParts = useCallback((chunks: LiveChunk<T>[]) => {
    for (const { chunk } of chunks) latest.current.onData?.(chunk);
    latest.current.onParts?.(
      chunks.map(({ index, chunk, time }) => ({ id: String(index), chunk, timestamp: time })),
    );
  }, []);
  const after = afterOf(lastEventId, startIndex);
  const { parts, last, ended, error, stop } = useStore<StreamState<T>>(
    () =>
      watched === undefined
        ? null
        : streamStore<T>(watched, key, connection, {
            after,
            ...(from === "latest" ? { from } : {}),
            maxParts,
            throttleMs: throttleInMs,
            timeoutMs: timeoutInSeconds === undefined ? undefined : timeoutInSeconds * 1_000,
            onParts,
          }),
    EMPTY,
    [watched, key, connection, after, from, maxParts, throttleInMs, timeoutInSeconds],
  );
  return { parts, lastEventId: last === undefined ? undefined : String(last), ended, error, stop };
}
