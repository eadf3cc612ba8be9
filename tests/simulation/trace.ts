import { createHash } from "node:crypto";

/**
 * Lines are hashed in blocks of this many characters, because each call of the hash costs as much as hashing
 * a kilobyte.
 */
const HASHED_TOGETHER = 64 * 1024;

/**
 * Everything that happened in a seed, in order. The hash shows whether two runs of a seed did the same, and the lines about one
 * run show how it came to break an invariant. Lines are kept only when somebody will read them.
 */
export class Trace {
  readonly #hash = createHash("sha256");
  readonly #lines: string[] | null;
  #unhashed = "";

  constructor(keep: boolean) {
    this.#lines = keep ? [] : null;
  }

  add(line: string): void {
    this.#unhashed += line;
    if (this.#unhashed.length > HASHED_TOGETHER) this.#hashAll();
    this.#lines?.push(line);
  }

  /** Ends the trace. */
  digest(): string {
    this.#hashAll();
    return this.#hash.digest("hex").slice(0, 32);
  }

  #hashAll(): void {
    this.#hash.update(this.#unhashed);
    this.#unhashed = "";
  }

  /** The last `limit` lines that name one of `words`, shortened; without words, the last lines of all. */
  last(words: string[], limit: number): string[] {
    const about = (line: string) => words.length === 0 || words.some((word) => line.includes(word));
    return (this.#lines ?? [])
      .filter(about)
      .slice(-limit)
      .map((line) => (line.length > 600 ? `${line.slice(0, 600)}…` : line));
  }
}
