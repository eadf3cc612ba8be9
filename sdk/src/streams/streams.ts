import { webCrypto } from "#web-crypto";
import { inputStreamPath, sendInput } from "../client/input-streams-api.ts";
import { request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { currentRun, type RunScope } from "../run/state.ts";
import { callSite, waitScope } from "../wait/durable.ts";
import { errorOf, readValue } from "../wait/operation-errors.ts";
import { type ReadStreamOptions, readStream, type StreamChunk } from "./read-stream.ts";
import { StreamWriter } from "./stream-writer.ts";

type Source<T> = AsyncIterable<T> | Iterable<T> | ReadableStream<T>;

export interface PipeOptions extends ApiRequestOptions {
  /** The run whose stream it is: this one, its parent or the first of the chain. Default: `self`. */
  target?: "self" | "parent" | "root";
}

export interface PipedStream<T> {
  /** The chunks, for whoever else wants them. */
  stream: AsyncIterable<T> & ReadableStream<T>;
  /** Resolves when all chunks are stored. The run's end waits for it too. @throws what the source throws; ApiError */
  waitUntilComplete(): Promise<void>;
}

const DEFAULT_KEY = "default";

const streamPath = (runId: string, rest: string): string =>
  `/realtime/v1/streams/${encodeURIComponent(runId)}/${rest}`;

function runFor(what: string): RunScope {
  const run = currentRun();
  if (!run) throw new Error(`${what} can be used inside a run only`);
  return run;
}

function targetOf({ ctx }: RunScope, target: PipeOptions["target"]): string {
  if (target === "parent") return ctx.run.parentTaskRunId ?? ctx.run.id;
  if (target === "root") return ctx.run.rootTaskRunId ?? ctx.run.parentTaskRunId ?? ctx.run.id;
  return ctx.run.id;
}

/** Lets the run's end wait for it. */
function keepRun(run: RunScope, work: Promise<void>): void {
  const kept = run.durable.busy(() => work);
  run.pending.add(kept);
  kept.then(
    () => run.pending.delete(kept),
    () => {},
  );
}

/**
 * Writes a source to a stream of the run as its chunks come: `streams.pipe("tokens", completion)`. A chunk is a JSON value.
 * @throws Error outside of a run
 */
function pipe<T>(key: string, source: Source<T>, options?: PipeOptions): PipedStream<T>;
function pipe<T>(source: Source<T>, options?: PipeOptions): PipedStream<T>;
function pipe<T>(
  first: string | Source<T>,
  second?: Source<T> | PipeOptions,
  third?: PipeOptions,
): PipedStream<T> {
  const named = typeof first === "string";
  const key = named ? first : DEFAULT_KEY;
  const source = (named ? second : first) as Source<T>;
  const options = (named ? third : (second as PipeOptions | undefined)) ?? {};
  const { target, ...requestOptions } = options;
  const run = runFor("streams.pipe()");
  const path = streamPath(targetOf(run, target), `self/${encodeURIComponent(key)}`);
  const writer = new StreamWriter(path, webCrypto.randomUUID(), requestOptions);
  const copy = new TransformStream<T, T>(undefined, undefined, { highWaterMark: Number.POSITIVE_INFINITY });
  const copyWriter = copy.writable.getWriter();
  const work = (async () => {
    try {
      for await (const chunk of source as AsyncIterable<T>) {
        void copyWriter.write(chunk).catch(() => {});
        await writer.write(chunk);
      }
      void copyWriter.close().catch(() => {});
    } catch (error) {
      void copyWriter.abort(error).catch(() => {});
      await writer.finished().catch(() => {});
      throw error;
    }
    await writer.finished();
  })();
  keepRun(run, work);
  return { stream: copy.readable as PipedStream<T>["stream"], waitUntilComplete: () => work };
}

/** Appends one chunk to a stream of the run, as text. @throws Error outside of a run; ApiError */
async function append(key: string, value: string, options: PipeOptions = {}): Promise<void> {
  const { waitUntilComplete } = pipe(key, [value], options);
  await waitUntilComplete();
}

export interface StreamWriterHandle<T> {
  write(chunk: T): void;
  merge(source: Source<T>): void;
}

/** A stream that `execute` writes to; it ends when that and all that it merged have ended. */
function writer<T>(
  key: string,
  { execute, ...options }: PipeOptions & { execute: (writer: StreamWriterHandle<T>) => unknown },
): PipedStream<T> {
  const { readable, writable } = new TransformStream<T, T>(undefined, undefined, {
    highWaterMark: Number.POSITIVE_INFINITY,
  });
  const output = writable.getWriter();
  const merged: Promise<void>[] = [];
  const write = (chunk: T): void => void output.write(chunk).catch(() => {});
  const merge = (source: Source<T>): void => {
    merged.push(
      (async () => {
        for await (const chunk of source as AsyncIterable<T>) write(chunk);
      })(),
    );
  };
  const piped = pipe(key, readable as Source<T>, options);
  (async () => {
    try {
      await execute({ write, merge });
      await Promise.all(merged);
      await output.close();
    } catch (error) {
      await output.abort(error).catch(() => {});
    }
  })();
  return piped;
}

/** The chunks of a run's stream, as they come. See `runs.fetchStream`. */
async function read<T>(
  runId: string,
  keyOrOptions?: string | ReadStreamOptions,
  options?: ReadStreamOptions,
): Promise<AsyncIterable<T>> {
  const key = typeof keyOrOptions === "string" ? keyOrOptions : DEFAULT_KEY;
  const given = typeof keyOrOptions === "string" ? options : keyOrOptions;
  return values(readStream<T>(streamPath(runId, encodeURIComponent(key)), given));
}

async function* values<T>(chunks: AsyncIterable<StreamChunk<T>>): AsyncGenerator<T> {
  for await (const { chunk } of chunks) yield chunk;
}

/** A stream with a name and a type that a task and its readers share. */
function define<T>({ id }: { id: string }) {
  return {
    id,
    pipe: (source: Source<T>, options?: PipeOptions): PipedStream<T> => pipe(id, source, options),
    append: async (value: T, options?: PipeOptions): Promise<void> =>
      pipe<T>(id, [value], options).waitUntilComplete(),
    writer: (
      options: PipeOptions & { execute: (writer: StreamWriterHandle<T>) => unknown },
    ): PipedStream<T> => writer<T>(id, options),
    read: (runId: string, options?: ReadStreamOptions): Promise<AsyncIterable<T>> =>
      read<T>(runId, id, options),
  };
}

const POSITIONS = Symbol.for("acme.sdk.inputPositions");

/** The last record of an input stream that the run's code has had, by key. */
function positionsOf(run: RunScope): Map<string, number> {
  const known = run.locals.get(POSITIONS) as Map<string, number> | undefined;
  const positions = known ?? new Map<string, number>();
  if (!known) run.locals.set(POSITIONS, positions);
  return positions;
}

interface InputRecord {
  seq: number;
  data: string;
}

/** Values that others send to a running task: `approval.send(runId, …)` from anywhere, `await approval.wait()` in it. */
function input<T>({ id }: { id: string }) {
  const wait = async (
    options: { timeout?: string } = {},
  ): Promise<{ ok: true; output: T } | { ok: false; error: Error }> => {
    const { run, scope } = waitScope("input.wait()");
    const positions = positionsOf(run);
    return scope.operation<{ ok: true; output: T } | { ok: false; error: Error }>({
      kind: "token",
      name: `input ${id}`,
      site: callSite(wait),
      start: async ({ target }) => {
        if (target) return { target };
        const body = { streamId: id, lastSeqNum: positions.get(id) ?? -1, ...options };
        const path = `/api/v1/runs/${encodeURIComponent(run.ctx.run.id)}/input-streams/wait`;
        const { data } = await request<{ waitpointId: string }>({ method: "POST", path, body });
        return { target: data.waitpointId };
      },
      wait: ({ target }) => ({ type: "token", token: target ?? "" }),
      read: (result) => {
        if (!result.ok) return { ok: false, error: errorOf(result.error) as Error };
        const { seq, data } = readValue<InputRecord>(result);
        positions.set(id, seq);
        return { ok: true, output: JSON.parse(data) as T };
      },
    });
  };
  const on = (handler: (value: T) => unknown): { off(): void } => {
    const run = runFor("input.on()");
    const controller = new AbortController();
    const stop = () => controller.abort();
    run.signal.addEventListener("abort", stop, { once: true });
    (async () => {
      const startIndex = (positionsOf(run).get(id) ?? -1) + 1;
      const { signal } = controller;
      for await (const { index, chunk } of readStream<string>(inputStreamPath(run.ctx.run.id, id), {
        signal,
        startIndex,
      })) {
        positionsOf(run).set(id, index);
        await handler(JSON.parse(chunk) as T);
      }
    })().catch((error: unknown) => {
      if (!controller.signal.aborted) run.log("error", `Input stream ${id} ended: ${String(error)}`);
    });
    return { off: stop };
  };
  return {
    id,
    /** @throws NotFoundError; BadRequestError where the run is over */
    send: async (runId: string, value: T, options?: ApiRequestOptions): Promise<void> => {
      await sendInput(runId, id, value, options);
    },
    /**
     * The next value that the run has not had. The run is suspended while it waits, and holds nothing. `timeout`: `"1h"`;
     * default: none.
     */
    wait,
    /** Calls `handler` with each value from now on, in order, while the run executes: it is not suspended meanwhile. */
    on,
    /** The next value. The process waits: with `wait`, the run is suspended. */
    once: (): Promise<T> =>
      new Promise<T>((resolve) => {
        const { off } = on((value) => {
          off();
          resolve(value);
        });
      }),
  };
}

export const streams = { pipe, append, writer, read, define, input };
