import { inputStreamPath } from "../client/input-streams-api.ts";
import type { RunScope } from "../run/state.ts";
import { readStream } from "./read-stream.ts";

/** A value of an input stream, as JSON, and its number. */
export interface InputRecord {
  seq: number;
  data: string;
}

type Handler = (record: InputRecord) => unknown;

/**
 * What a run's code has had of an input stream, and what came since. The stream is read while somebody listens; each value
 * goes to the one who has waited for one for the longest, else to all handlers, else it is kept until somebody takes it.
 */
export class InputTail {
  readonly #run: RunScope;
  readonly #key: string;
  /** Number of the last value that the code has had. */
  #position = -1;
  #kept: InputRecord[] = [];
  readonly #waiting = new Set<Handler>();
  readonly #handlers = new Set<Handler>();
  #reading: AbortController | null = null;

  constructor(run: RunScope, key: string) {
    this.#run = run;
    this.#key = key;
  }

  get position(): number {
    return this.#position;
  }

  /** The first value that came and that nobody has had. */
  get first(): InputRecord | undefined {
    return this.#kept[0];
  }

  /** The code has had the values up to this one. */
  had(seq: number): void {
    this.#position = Math.max(this.#position, seq);
    this.#kept = this.#kept.filter((record) => record.seq > this.#position);
  }

  /** Gives `handler` each value that nobody has had. Returns a function that ends it. */
  on(handler: Handler): () => void {
    return this.#listen(this.#handlers, handler);
  }

  /** Gives `handler` the next value that nobody has had. Returns a function that ends the wait. */
  once(handler: Handler): () => void {
    const end = this.#listen(this.#waiting, (record) => {
      end();
      handler(record);
    });
    return end;
  }

  #listen(listeners: Set<Handler>, handler: Handler): () => void {
    listeners.add(handler);
    // Not before the caller has the function that ends it.
    void Promise.resolve().then(() => this.#hand());
    this.#read();
    return () => {
      listeners.delete(handler);
      if (this.#waiting.size === 0 && this.#handlers.size === 0) this.#stop();
    };
  }

  #hand(): void {
    for (let record = this.#kept[0]; record; record = this.#kept[0]) {
      const [next] = this.#waiting;
      const takers = next ? [next] : [...this.#handlers];
      if (takers.length === 0) return;
      this.had(record.seq);
      for (const take of takers) {
        const handled = async (): Promise<void> => void (await take(record));
        handled().catch((error: unknown) =>
          this.#run.log("error", `A handler of input stream ${this.#key} failed: ${String(error)}`),
        );
      }
    }
  }

  #read(): void {
    if (this.#reading) return;
    const controller = new AbortController();
    this.#reading = controller;
    const { signal } = controller;
    this.#run.signal.addEventListener("abort", () => controller.abort(), { once: true, signal });
    const read = async (): Promise<void> => {
      const startIndex = (this.#kept.at(-1)?.seq ?? this.#position) + 1;
      const path = inputStreamPath(this.#run.ctx.run.id, this.#key);
      for await (const { index, chunk } of readStream<string>(path, { signal, startIndex })) {
        if (index > this.#position) this.#kept.push({ seq: index, data: chunk });
        this.#hand();
      }
    };
    read().catch((error: unknown) => {
      if (!signal.aborted) this.#run.log("error", `Input stream ${this.#key} ended: ${String(error)}`);
    });
  }

  #stop(): void {
    this.#reading?.abort();
    this.#reading = null;
  }
}

const TAILS = Symbol.for("acme.sdk.inputTails");

/** The one tail of a run for an input stream. */
export function inputTail(run: RunScope, key: string): InputTail {
  const known = run.locals.get(TAILS) as Map<string, InputTail> | undefined;
  const tails = known ?? new Map<string, InputTail>();
  if (!known) run.locals.set(TAILS, tails);
  const tail = tails.get(key) ?? new InputTail(run, key);
  tails.set(key, tail);
  return tail;
}
