import { useCallback, useEffect, useRef } from "react";
import { type StreamState, streamStore } from "../live/stores.ts";
import { useConnection } from "./auth-context.ts";
import type { UseRealtimeOptions } from "./use-realtime-run.ts";
import { useStore } from "./use-store.ts";

export interface UseRealtimeStreamOptions<T> extends UseRealtimeOptions {
  /** Number of the first part, from 0. Default: 0. */
  startIndex?: number;
  /** `latest`: begins at the last part that exists. */
  from?: "beginning" | "latest";
  /** Keeps only the newest. Default: all. */
  maxParts?: number;
  /** Milliseconds between two renders at least. Default: 16. */
  throttleInMs?: number;
  /** Called with each part. */
  onData?: (part: T) => void;
}

export interface RealtimeStreamInstance<T> {
  parts: T[];
  /** Number of the last part. */
  lastEventId: string | undefined;
  /** The run is over, and all parts are here. */
  ended: boolean;
  error: Error | undefined;
  /** Ends the subscription. */
  stop: () => void;
}

/** A stream as `streams.define` returns it. */
export interface DefinedStream<T> {
  id: string;
  read(runId: string): Promise<AsyncIterable<T>>;
}

const EMPTY: StreamState<never> = { parts: [], last: undefined, ended: false, error: undefined };

/** The parts of a run's stream, as they come: `useRealtimeStream(runId, key)` or `useRealtimeStream(stream, runId)`. */
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
  const { enabled = true, startIndex, from, maxParts, throttleInMs, onData } = options;
  const watched = enabled ? runId : undefined;
  const latest = useRef(onData);
  useEffect(() => {
    latest.current = onData;
  }, [onData]);
  const onParts = useCallback((parts: T[]) => {
    for (const part of parts) latest.current?.(part);
  }, []);
  const { parts, last, ended, error, stop } = useStore<StreamState<T>>(
    () =>
      watched === undefined
        ? null
        : streamStore<T>(watched, key, connection, {
            ...(startIndex === undefined ? {} : { after: startIndex - 1 }),
            ...(from === "latest" ? { from } : {}),
            ...(maxParts === undefined ? {} : { maxParts }),
            ...(throttleInMs === undefined ? {} : { throttleMs: throttleInMs }),
            onParts,
          }),
    EMPTY,
    [watched, key, connection, startIndex, from, maxParts, throttleInMs],
  );
  return { parts, lastEventId: last === undefined ? undefined : String(last), ended, error, stop };
}
