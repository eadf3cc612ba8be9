import { Failure } from "./failure.ts";

/**
 * Yields the lines of a stream of newline-delimited JSON, without empty ones. Only one line is in memory at a
 * time. Throws a Failure for text that isn't UTF-8 (400) and for a line of more than `limit` characters
 * (413).
 */
export async function* ndjsonLines(
  stream: ReadableStream<Uint8Array>,
  limit: number,
): AsyncGenerator<{ number: number; text: string }> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let number = 1;
  let rest = "";
  const check = (line: string) => {
    if (line.length > limit) {
      const message = `Line ${number} is longer than the limit of ${limit} characters. Send the item with a smaller payload.`;
      throw new Failure(413, "item_too_large", message);
    }
    return line;
  };
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      throw new Failure(400, "invalid_item", `Line ${number} is not UTF-8.`);
    }
  };
  for await (const bytes of largePieces(stream)) {
    const lines = decode(bytes).split("\n");
    lines[0] = rest + (lines[0] as string);
    rest = check(lines.pop() as string);
    for (const line of lines) {
      if (check(line).trim() !== "") yield { number, text: line };
      number += 1;
    }
  }
  rest += decode();
  if (rest.trim() !== "") yield { number, text: check(rest) };
}

const PIECE_BYTES = 256 * 1024;
/** The minimum size of a piece, except the last. */
const MIN_PIECE_BYTES = 64 * 1024;

/** A request's body arrives in chunks of 4 KB, and each costs a turn of the event loop. */
async function* largePieces(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = byteReaderOf(stream);
  if (!reader) {
    yield* stream.values({ preventCancel: true });
    return;
  }
  try {
    for (;;) {
      const { value, done } = await reader.readAtLeast(MIN_PIECE_BYTES, new Uint8Array(PIECE_BYTES));
      if (value && value.byteLength > 0) yield value;
      if (done) return;
    }
  } finally {
    // Not canceled if the rest is not needed: it is read before the response is sent.
    reader.releaseLock();
  }
}

/** Null: the stream does not support reads of a given size. */
function byteReaderOf(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: "byob" });
  } catch {
    return null;
  }
}
