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
 * The position of a run's code in an input stream, and the values that arrived since. The stream is read
 * while there are listeners. Each value goes to the listener that has waited for the longest, otherwise to
 * all handlers; if there are none, it is kept.
 */
export class InputTail {
  readonly #run: RunScope;
  readonly #key: string;
  /** Number of the last value that the code has consumed. */
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

  /** The first value that arrived and was not consumed. */
  get first(): InputRecord | undefined {
    return this.#kept[0];
  }

  /** Marks the values up to this one as consumed. */
  had(seq: number): void {
    this.#position = Math.max(this.#position, seq);
    this.#kept = this.#kept.filter((record) => record.seq > this.#position);
  }

  /** Passes each value that was not consumed to `handler`. Returns a function that ends this. */
  on(handler: Handler): () => void {
    return this.#listen(this.#handlers, handler);
  }

  /** Passes the next value that was not consumed to `handler`. Returns a function that ends the wait. */
  once(handler: Handler): () => void {
    const end = this.#listen(this.#waiting, (record) => {
      end();
      handler(record);
    });
    return end;
  }

  #listen(listeners: Set<Handler>, handler: Handler): () => void {
    listeners.add(handler);
    // Deferred until the caller has the function that ends it.
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

/** Returns the run's only tail of an input stream. */
export function inputTail(run: RunScope, key: string): InputTail {
  const known = run.locals.get(TAILS) as Map<string, InputTail> | undefined;
  const tails = known ?? new Map<string, InputTail>();
  if (!known) run.locals.set(TAILS, tails);
  const tail = tails.get(key) ?? new InputTail(run, key);
  tails.set(key, tail);
  return tail;
}
