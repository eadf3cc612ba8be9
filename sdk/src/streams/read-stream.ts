import { createParser } from "eventsource-parser";
import { ApiError } from "../client/api-errors.ts";
import { resolveSettings } from "../client/configuration.ts";
import { sleep } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { unrecorded } from "../wait/durable.ts";

export interface ReadStreamOptions extends Pick<ApiRequestOptions, "clientConfig" | "signal"> {
  /** Number of the first chunk, from 0. Default: 0. */
  startIndex?: number;
  /** `latest`: begins at the last chunk that exists. */
  from?: "start" | "beginning" | "latest";
  /** Ends when no chunk has arrived for this many seconds. Default: it ends with the run. At most 600. */
  timeoutInSeconds?: number;
}

export interface StreamChunk<T> {
  /** From 0, without gaps. */
  index: number;
  chunk: T;
}

const MAX_DELAY_MS = 5_000;

/**
 * Iterates over the chunks of a stream, in order and each once, as they are written; ends when the run is
 * finished. If the connection breaks, it reconnects and resumes.
 * @throws ApiError for 401, 403, 404 and other responses that a retry would not change; the signal's reason
 */
export async function* readStream<T>(
  path: string,
  options: ReadStreamOptions = {},
): AsyncGenerator<StreamChunk<T>> {
  const settings = resolveSettings(options.clientConfig);
  let last = (options.startIndex ?? 0) - 1;
  for (let failures = 0; ; ) {
    options.signal?.throwIfAborted();
    try {
      const response = await open(`${settings.baseURL}${path}`, settings.accessToken, options, last);
      if (!response.ok || !response.body) throw await errorOf(response);
      failures = 0;
      for await (const { index, chunk } of chunksOf<T>(response.body)) {
        if (index <= last) continue;
        last = index;
        yield { index, chunk };
      }
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (
        error instanceof ApiError &&
        error.status !== undefined &&
        error.status < 500 &&
        error.status !== 429
      )
        throw error;
      failures += 1;
      await sleep(Math.min(MAX_DELAY_MS, 100 * 2 ** failures), options.signal);
    }
  }
}

function open(
  url: string,
  token: string,
  { signal, timeoutInSeconds, from }: ReadStreamOptions,
  last: number,
): Promise<Response> {
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
  if (last >= 0) headers["last-event-id"] = String(last);
  else if (from === "latest") headers["x-trigger-stream-start"] = "latest";
  if (timeoutInSeconds !== undefined) headers["timeout-seconds"] = String(timeoutInSeconds);
  return unrecorded(() => fetch(url, { headers, ...(signal ? { signal } : {}) }));
}

async function errorOf(response: Response): Promise<ApiError> {
  const headers = Object.fromEntries(response.headers.entries());
  const text = await response.text();
  try {
    return ApiError.generate(response.status, JSON.parse(text), undefined, headers);
  } catch {
    return ApiError.generate(response.status, undefined, text, headers);
  }
}

async function* chunksOf<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamChunk<T>> {
  const decoder = new TextDecoder();
  let chunks: StreamChunk<T>[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event !== "batch") return;
      const { records } = JSON.parse(data) as { records: { seq_num: number; body: string }[] };
      for (const { seq_num, body: text } of records)
        chunks.push({ index: seq_num, chunk: (JSON.parse(text) as { data: T }).data });
    },
  });
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      const ready = chunks;
      chunks = [];
      yield* ready;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
