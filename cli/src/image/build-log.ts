import { LIMITS } from "@acme/sdk/contract";

const FLUSH_MS = 1_000;
/** The maximum number of lines of one call. */
const LINES = 500;

interface Line {
  time: number;
  text: string;
}

/**
 * Sends the lines of a build to the server while it runs. A log that can't be sent does not stop the build;
 * `end` returns the reason.
 */
export class BuildLog {
  readonly #send: (lines: Line[], number: number) => Promise<void>;
  #lines: Line[] = [];
  #number = 0;
  #sending: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #problem: string | undefined;

  constructor(send: (lines: Line[], number: number) => Promise<void>) {
    this.#send = send;
  }

  add(text: string): void {
    this.#lines.push({ time: Date.now(), text: text.slice(0, LIMITS.logMessageBytes) });
    if (this.#lines.length >= LINES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** Sends the remaining lines. Returns why lines are missing; undefined if none are. */
  async end(): Promise<string | undefined> {
    this.#flush();
    await this.#sending;
    return this.#problem;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    const number = this.#number;
    this.#number += 1;
    this.#sending = this.#sending
      .then(() => this.#send(lines, number))
      .catch((error: unknown) => {
        this.#problem ??= error instanceof Error ? error.message : String(error);
      });
  }
}
