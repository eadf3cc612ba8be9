import { closeSync, openSync, readFileSync, readSync, unlinkSync, writeSync } from "node:fs";

/** The position of one line of a segment. */
export interface LinePlace {
  offset: number;
  length: number;
}

/**
 * A file of the buffer: lines of JSON that are only appended, and deleted as a whole when all of them were
 * sent.
 */
export class Segment {
  readonly path: string;
  #fd: number;
  #size = 0;
  /** The number of unsent lines. */
  #waiting = 0;
  #isDeleted = false;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  static create(path: string): Segment {
    return new Segment(path, openSync(path, "ax+", 0o600));
  }

  /**
   * Opens a file that an earlier process left behind, with its complete lines: the last one may be truncated.
   */
  static load(path: string): { segment: Segment; lines: { text: string; place: LinePlace }[] } {
    const bytes = readFileSync(path);
    const segment = new Segment(path, openSync(path, "r", 0o600));
    segment.#size = bytes.length;
    const lines: { text: string; place: LinePlace }[] = [];
    for (
      let start = 0, end = bytes.indexOf(10);
      end !== -1;
      start = end + 1, end = bytes.indexOf(10, start)
    ) {
      const place = { offset: start, length: end - start };
      lines.push({ text: bytes.toString("utf8", start, end), place });
    }
    segment.#waiting = lines.length;
    return { segment, lines };
  }

  get size(): number {
    return this.#size;
  }

  get isEmpty(): boolean {
    return this.#waiting === 0;
  }

  /** When this returns, the operating system has the data, so a killed process does not lose it. */
  append(line: string): LinePlace {
    const bytes = Buffer.from(`${line}\n`);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch (error) {
      // The written part is a truncated line in the middle: the next line begins after it.
      if (written > 0) this.#size += written;
      throw error;
    }
    const place = { offset: this.#size, length: bytes.length - 1 };
    this.#size += bytes.length;
    this.#waiting += 1;
    return place;
  }

  read({ offset, length }: LinePlace): string {
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    while (read < length) {
      const count = readSync(this.#fd, bytes, read, length - read, offset + read);
      if (count === 0) throw new Error(`${this.path} is shorter than it was`);
      read += count;
    }
    return bytes.toString("utf8");
  }

  sent(): void {
    this.#waiting -= 1;
  }

  delete(): void {
    if (this.#isDeleted) return;
    this.#isDeleted = true;
    closeSync(this.#fd);
    unlinkSync(this.path);
  }

  close(): void {
    if (!this.#isDeleted) closeSync(this.#fd);
    this.#isDeleted = true;
  }
}
