import { webCrypto } from "#web-crypto";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { currentRun, type RunScope } from "../run/state.ts";
import { inputStream } from "./input-stream.ts";
import { type ReadStreamOptions, readStream, type StreamChunk } from "./read-stream.ts";
import { StreamWriter } from "./stream-writer.ts";

type Source<T> = AsyncIterable<T> | Iterable<T> | ReadableStream<T>;

export interface PipeOptions extends ApiRequestOptions {
  /** The run whose stream it is: this one, its parent, the first of the chain, or one by its id. Default: `self`. */
  target?: "self" | "parent" | "root" | (string & {});
  /** Options of the requests, under the name that Trigger.dev's SDK uses. */
  requestOptions?: ApiRequestOptions;
}

export interface PipedStream<T> {
  /** The chunks, for other consumers. */
  stream: AsyncIterable<T> & ReadableStream<T>;
  /** Resolves when all chunks are stored. The run's end waits for it too. @throws what the source throws; ApiError */
  waitUntilComplete(): Promise<void>;
}

const DEFAULT_KEY = "default";

const streamPath = (runId: string, rest: string): string =>
  `/realtime/v1/streams/${encodeURIComponent(runId)}/${rest}`;

function runFor(what: string): RunScope {
  const run = currentRun();
  if (!run) throw new Error(`${what} can only be used inside a run`);
  return run;
}

function targetOf({ ctx }: RunScope, target: PipeOptions["target"]): string {
  if (target === "parent") return ctx.run.parentTaskRunId ?? ctx.run.id;
  if (target === "root") return ctx.run.rootTaskRunId ?? ctx.run.parentTaskRunId ?? ctx.run.id;
  return target === undefined || target === "self" ? ctx.run.id : target;
}

/** Makes the run's end wait for the promise. */
function keepRun(run: RunScope, work: Promise<void>): void {
  const kept = run.durable.busy(() => work);
  run.pending.add(kept);
  kept.then(
    () => run.pending.delete(kept),
    () => {},
  );
}

/**
 * Writes a source to a stream of the run as its chunks arrive: `streams.pipe("tokens", completion)`. A chunk
 * is a JSON value.
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
  const { target, requestOptions: given, ...own } = options;
  const requestOptions = { ...own, ...given };
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

/**
 * Appends one chunk to a stream of the run, as text: `streams.append("notes", "done")`, or `streams.append("done")` to the
 * stream `default`.
 * @throws Error outside of a run; ApiError
 */
async function append(value: string, options?: PipeOptions): Promise<void>;
async function append(key: string, value: string, options?: PipeOptions): Promise<void>;
async function append(first: string, second?: string | PipeOptions, third?: PipeOptions): Promise<void> {
  const named = typeof second === "string";
  const [key, value] = named ? [first, second] : [DEFAULT_KEY, first];
  const options = named ? third : second;
  await pipe(key, [value], options).waitUntilComplete();
}

export interface StreamWriterHandle<T> {
  write(chunk: T): void;
  merge(source: Source<T>): void;
}

export type WriterOptions<T> = PipeOptions & { execute: (writer: StreamWriterHandle<T>) => unknown };

/** Creates a stream that `execute` writes to. It ends when `execute` and all merged streams have ended. */
function writer<T>(options: WriterOptions<T>): PipedStream<T>;
function writer<T>(key: string, options: WriterOptions<T>): PipedStream<T>;
function writer<T>(first: string | WriterOptions<T>, second?: WriterOptions<T>): PipedStream<T> {
  const named = typeof first === "string";
  const key = named ? first : DEFAULT_KEY;
  const { execute, ...options } = (named ? second : first) as WriterOptions<T>;
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

/** Iterates over the chunks of a run's stream. See `runs.fetchStream`. */
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

/** Defines a stream with a name and a type that a task and its readers share. */
function define<T>({ id }: { id: string }) {
  return {
    id,
    pipe: (source: Source<T>, options?: PipeOptions): PipedStream<T> => pipe(id, source, options),
    append: async (value: T, options?: PipeOptions): Promise<void> =>
      pipe<T>(id, [value], options).waitUntilComplete(),
    writer: (options: WriterOptions<T>): PipedStream<T> => writer<T>(id, options),
    read: (runId: string, options?: ReadStreamOptions): Promise<AsyncIterable<T>> =>
      read<T>(runId, id, options),
  };
}

export const streams = { pipe, append, writer, read, define, input: inputStream };
