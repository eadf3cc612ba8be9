import type { JournalEntry, RecordedValues } from "../contract/journal.ts";
import type { RecordSettings } from "../run/state.ts";

export type RecordedFetch = NonNullable<RecordedValues["fetch"]>[number];
type Kind = "now" | "random" | "uuid";

const DEFAULT_MAX_BYTES = 256 * 1_024;
/** With the largest result of a step it still fits into one row of the journal. */
const MOST_BYTES = 384 * 1_024;
/** About what a value takes in JSON. */
const BYTES: Record<Kind, number> = { now: 14, random: 20, uuid: 39 };

/**
 * What the code of one attempt gets from its surroundings, by segment: the part between the start of one operation and
 * the start of the next. In a segment that the journal has, calls get what was recorded, in order; else what they get is
 * recorded. Knows nothing of where values come from.
 */
export class Recorder {
  readonly #settings: RecordSettings;
  readonly #journal: ReadonlyMap<number, JournalEntry>;
  readonly #maxBytes: number;
  #segment = 0;
  #next: Record<Kind, number> = { now: 0, random: 0, uuid: 0 };
  #live: RecordedValues = {};
  #bytes = 0;
  /** Recorded responses that were not handed out yet, with the segment they were asked for in. */
  readonly #responses: (RecordedFetch & { segment: number })[] = [];

  constructor(settings: RecordSettings, journal: ReadonlyMap<number, JournalEntry>) {
    this.#settings = settings;
    this.#journal = journal;
    this.#maxBytes = Math.min(settings.maxBytes ?? DEFAULT_MAX_BYTES, MOST_BYTES);
    for (const { number, values } of journal.values()) {
      for (const response of values?.fetch ?? [])
        this.#responses.push({ ...response, segment: response.segment ?? number });
    }
  }

  /** Number of the segment that the code is in: that of the operation that will end it. */
  get segment(): number {
    return this.#segment;
  }

  now(real: () => number): number {
    return this.#settings.now === false ? real() : this.#value("now", real);
  }

  random(real: () => number): number {
    return this.#settings.random === false ? real() : this.#value("random", real);
  }

  uuid(real: () => string): string {
    return this.#settings.random === false ? real() : this.#value("uuid", real);
  }

  get recordsFetch(): boolean {
    return this.#settings.fetch !== false;
  }

  /** The response that was recorded for the next call of `request` in this segment. */
  replayed(request: string): RecordedFetch | undefined {
    const index = this.#responses.findIndex((r) => r.segment === this.#segment && r.request === request);
    return index === -1 ? undefined : this.#responses.splice(index, 1)[0];
  }

  /** Bytes that a response may still have to be recorded. */
  get room(): number {
    return this.#maxBytes - this.#bytes;
  }

  /** A response has been read. `segment`: in which it was asked for. False: it is too large. */
  addResponse(response: RecordedFetch, segment: number): boolean {
    const bytes =
      response.request.length + (response.body?.length ?? 0) + JSON.stringify(response.headers).length + 64;
    if (bytes > this.room) return false;
    this.#bytes += bytes;
    this.#live.fetch ??= [];
    this.#live.fetch.push(segment === this.#segment ? response : { ...response, segment });
    return true;
  }

  /** An operation starts: what was recorded in the segment that it ends. */
  endSegment(): RecordedValues {
    const values = this.#live;
    this.#live = {};
    this.#bytes = 0;
    this.#segment++;
    this.#next = { now: 0, random: 0, uuid: 0 };
    return values;
  }

  #value<T>(kind: Kind, real: () => T): T {
    const recorded = this.#journal.get(this.#segment)?.values;
    if (recorded)
      return ((recorded[kind] as T[] | undefined)?.[this.#next[kind]++] as T | undefined) ?? real();
    const value = real();
    if (this.room >= BYTES[kind]) {
      this.#bytes += BYTES[kind];
      const values = this.#live as Partial<Record<Kind, T[]>>;
      values[kind] ??= [];
      values[kind].push(value);
    }
    return value;
  }
}
