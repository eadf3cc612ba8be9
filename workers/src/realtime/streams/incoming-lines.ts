import { STREAM_LIMITS } from "@acme/sdk/contract";
import { Failure } from "../../http/failure.ts";

/**
 * Yields the lines of a body as they arrive: for each chunk, the lines that the chunk completes. A chunk may end
 * anywhere in a line. The last line needs no line feed; if the body breaks off, the incomplete line is dropped.
 * Throws a 400 for a line that is not JSON, and a 413 for a line that is too long.
 */
export async function* incomingLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let rest = "";
  for await (const bytes of body) {
    const lines = (rest + decode(decoder, bytes)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > STREAM_LIMITS.recordCharacters) throw tooLong();
    const whole = lines.filter((line) => line.trim() !== "").map(checked);
    if (whole.length > 0) yield whole;
  }
  rest += decode(decoder);
  if (rest.trim() !== "") yield [checked(rest)];
}

function decode(decoder: TextDecoder, bytes?: Uint8Array): string {
  try {
    return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
  } catch {
    throw new Failure(400, "invalid_chunk", "The stream is not UTF-8.");
  }
}

function checked(line: string): string {
  if (line.length > STREAM_LIMITS.recordCharacters) throw tooLong();
  try {
    JSON.parse(line);
  } catch {
    throw new Failure(400, "invalid_chunk", "Each line of a stream is one JSON text.");
  }
  return line;
}

const tooLong = (): Failure =>
  new Failure(
    413,
    "chunk_too_large",
    `A chunk has at most ${STREAM_LIMITS.recordCharacters} characters of JSON.`,
  );
