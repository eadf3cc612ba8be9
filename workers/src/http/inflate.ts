import type { Context } from "hono";
import type { z } from "zod";
import { checked, parseJson, readBytes } from "./body.ts";
import { Failure } from "./failure.ts";
import { joinChunks } from "./join-chunks.ts";

/**
 * Returns the bytes of a body that may be compressed with gzip. Throws a 413 as soon as there are more than
 * `limit` compressed or `inflatedLimit` decompressed bytes; a 415 for another encoding; a 400 for invalid
 * gzip.
 */
export async function readInflated(
  request: Request,
  { limit, inflatedLimit, what }: { limit: number; inflatedLimit: number; what: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || encoding === "") return readBytes(request, inflatedLimit, what);
  if (encoding !== "gzip" && encoding !== "x-gzip")
    throw new Failure(
      415,
      "unsupported_encoding",
      `The content-encoding ${encoding.slice(0, 32)} is not supported: send gzip, or the body as it is.`,
    );
  const sent = await readBytes(request, limit, what);
  const stream = new Blob([sent]).stream().pipeThrough(new DecompressionStream("gzip"));
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as ReadableStream<Uint8Array>) {
      size += chunk.byteLength;
      if (size > inflatedLimit)
        throw new Failure(
          413,
          "payload_too_large",
          `${what} is larger than the limit of ${inflatedLimit} bytes when it is decompressed. Nothing was changed.`,
        );
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(
      400,
      "invalid_gzip",
      `${what} could not be decompressed: it is truncated, or not gzip.`,
    );
  }
  return joinChunks(chunks, size);
}

/** Like `readBody`, for a body that may be compressed. */
export async function readInflatedBody<T extends z.ZodType>(
  c: Context,
  schema: T,
  limit: number,
): Promise<z.infer<T>> {
  const what = "The request body";
  const bytes = await readInflated(c.req.raw, { limit, inflatedLimit: limit, what });
  return checked(schema, bytes.byteLength === 0 ? {} : parseJson(bytes));
}
