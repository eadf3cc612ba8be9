import type { SizedStream } from "./blobs.ts";

/**
 * Returns a stream for a store that would accept a truncated stream as a complete blob. `body` has a known
 * length, so stores drop it if it fails; and it fails, before its last bytes are sent, unless the source has
 * exactly `size` bytes. Then `sent` rejects too.
 */
export function wholeStream({ stream, size }: SizedStream): { body: ReadableStream; sent: Promise<void> } {
  let seen = 0;
  let held: Uint8Array | undefined;
  const check = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      seen += chunk.byteLength;
      if (seen > size)
        throw new RangeError(`The stream is longer than the ${size} bytes it was said to have`);
      if (held) controller.enqueue(held);
      held = chunk;
    },
    flush(controller) {
      if (seen < size) throw new RangeError(`The stream ended after ${seen} of ${size} bytes`);
      if (held) controller.enqueue(held);
    },
  });
  const sized = new FixedLengthStream(size);
  return { body: sized.readable, sent: stream.pipeThrough(check).pipeTo(sized.writable) };
}
