/** Keeps the last bytes of a process's output. */
export class OutputTail {
  readonly #max: number;
  #chunks: Buffer[] = [];
  #kept = 0;
  /** Total number of bytes written. */
  total = 0;

  constructor(maxBytes = 16 * 1024) {
    this.#max = maxBytes;
  }

  add(chunk: Buffer): void {
    this.total += chunk.length;
    // A copy: a slice of a large chunk would keep the whole of it.
    const part = chunk.length > this.#max ? Buffer.from(chunk.subarray(-this.#max)) : chunk;
    this.#chunks.push(part);
    this.#kept += part.length;
    while (this.#kept - (this.#chunks[0] as Buffer).length >= this.#max)
      this.#kept -= (this.#chunks.shift() as Buffer).length;
    if (this.#chunks.length > 64) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-this.#max).toString("utf8");
  }
}
