const NEWLINE = 10;

/** Splits a stream of bytes into lines. */
export class LineReader {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(onLine: (line: string) => void, maxBytes: number) {
    this.#onLine = onLine;
    this.#maxBytes = maxBytes;
  }

  /** @throws Error when a line has more than the allowed bytes */
  add(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, end);
      start = end + 1;
      if (this.#restBytes === 0) {
        if (piece.length > 0) this.#onLine(piece.toString("utf8"));
        continue;
      }
      const line = Buffer.concat([...this.#rest, piece]);
      this.#rest = [];
      this.#restBytes = 0;
      this.#onLine(line.toString("utf8"));
    }
    if (start === chunk.length) return;
    this.#rest.push(chunk.subarray(start));
    this.#restBytes += chunk.length - start;
    if (this.#restBytes > this.#maxBytes) throw new Error(`A message has more than ${this.#maxBytes} bytes`);
  }
}
