import type { Context } from "hono";
import type { z } from "zod";
import { Failure, invalid } from "./failure.ts";
import { joinChunks } from "./join-chunks.ts";

const BODY_BYTES = 1024 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Returns the request's bytes. Throws a 413 as soon as it is clear that there are more than `limit`. */
export async function readBytes(
  request: Request,
  limit: number,
  what: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new Failure(
      413,
      "payload_too_large",
      `${what} is larger than the limit of ${limit} bytes. Nothing was changed.`,
    );
  const declared = request.headers.get("content-length");
  if (declared !== null) {
    if (Number(declared) > limit) throw tooLarge();
    // The runtime enforces the length, so the bytes need not be counted.
    return new Uint8Array(await request.arrayBuffer());
  }
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Not canceled if the body is too large: the rest of it is read before the response is sent.
  const stream = request.body as ReadableStream<Uint8Array>;
  for await (const chunk of stream.values({ preventCancel: true })) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return joinChunks(chunks, size);
}

/** The maximum bytes and time for reading the rest of a refused body. */
const DISCARD_BYTES = 64 * 1024 * 1024;
const DISCARD_MS = 10_000;

/**
 * Reads what is left of a request's body and drops it. A connection is reset when its request is answered while the client
 * still writes much of the body, and many clients report that instead of the answer.
 */
export async function discardBody(request: Request): Promise<void> {
  const { body } = request;
  if (!body || body.locked) return;
  const reader = body.getReader();
  const deadline = Date.now() + DISCARD_MS;
  try {
    for (let size = 0; size < DISCARD_BYTES && Date.now() < deadline; ) {
      const { done, value } = await reader.read();
      if (done) return;
      size += value.byteLength;
    }
    await reader.cancel();
  } catch {
    // The client has disconnected, or the stream was canceled: there is nothing left to read.
  }
}

/** Returns the JSON body, checked by its schema. An empty body counts as `{}`. */
export async function readBody<T extends z.ZodType>(
  c: Context,
  schema: T,
  limit = BODY_BYTES,
): Promise<z.infer<T>> {
  const bytes = await readBytes(c.req.raw, limit, "The request body");
  return checked(schema, bytes.byteLength === 0 ? {} : parseJson(bytes));
}

/** Like `readBody`, but an empty body is refused, because a lost body must not count as `{}`. */
export async function readRequiredBody<T extends z.ZodType>(
  c: Context,
  schema: T,
  limit = BODY_BYTES,
): Promise<z.infer<T>> {
  const bytes = await readBytes(c.req.raw, limit, "The request body");
  if (bytes.byteLength === 0) {
    throw new Failure(
      400,
      "empty_body",
      "The request body is empty: send a JSON object. Nothing was changed.",
    );
  }
  return checked(schema, parseJson(bytes));
}

export function checked<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error);
  return parsed.data;
}

/**
 * Returns a part of a body as JSON. Text of any depth can be parsed, but not every value can be serialized
 * again: throws a 400 for one that is nested too deeply.
 */
export function jsonText(value: unknown, path: string): string {
  try {
    return JSON.stringify(value);
  } catch {
    const message = `It is nested too deeply. Send it as a string of JSON, with payloadType "application/json".`;
    throw new Failure(400, "invalid_request", `The request is invalid. ${path}: ${message}`, {
      issues: [{ path, message }],
    });
  }
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(400, "invalid_json", `The request body is not valid JSON: ${reason}`);
  }
}
