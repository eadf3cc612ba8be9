import type { JournalEntry, SegmentValues } from "../contract/journal.ts";
import { LIMITS } from "../contract/limits.ts";
import type { RecordSettings } from "../run/state.ts";

export type RecordedFetch = NonNullable<SegmentValues["fetch"]>[number];
type Kind = "now" | "random" | "uuid";

/** About how many bytes a value takes in JSON. */
const BYTES: Record<Kind, number> = { now: 14, random: 20, uuid: 39 };

/**
 * Records the non-deterministic values that the code of one attempt reads, by segment: the part between the
 * start of one operation and the start of the next. In a segment whose values the journal has, calls get
 * those in order. In a segment whose beginning was recorded (`tail`), calls get that first, and what they get
 * then is recorded. The recorder does not know where values come from.
 */
export class Recorder {
  readonly #settings: RecordSettings;
  readonly #journal: ReadonlyMap<number, JournalEntry>;
  readonly #maxBytes: number;
  #segment = 0;
  #next: Record<Kind, number> = { now: 0, random: 0, uuid: 0 };
  /** What is recorded of this segment, including the beginning that the journal had. */
  #recorded: SegmentValues = {};
  #bytes = 0;
  /** Recorded responses that were not handed out yet, with the segment that asked for them. */
  readonly #responses: (RecordedFetch & { segment: number })[] = [];

  /** `journal`: the entries that the attempt is resumed with. */
  constructor(settings: RecordSettings, journal: ReadonlyMap<number, JournalEntry>) {
    this.#settings = settings;
    this.#journal = journal;
    this.#maxBytes = Math.min(settings.maxBytes ?? LIMITS.recordedBytes, LIMITS.recordedBytes);
    for (const { number, values } of journal.values()) {
      for (const response of values?.fetch ?? [])
        this.#responses.push({ ...response, segment: response.segment ?? number });
      for (const response of this.#tailOf(number)?.fetch ?? [])
        this.#responses.push({ ...response, segment: response.segment ?? number + 1 });
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

  /** Returns the response that was recorded for the next call of `request` in this segment. */
  replayed(request: string): RecordedFetch | undefined {
    const index = this.#responses.findIndex((r) => r.segment === this.#segment && r.request === request);
    return index === -1 ? undefined : this.#responses.splice(index, 1)[0];
  }

  /** Bytes that can still be recorded in this segment. */
  get room(): number {
    return this.#maxBytes - this.#bytes;
  }

  /**
   * Records a response. `segment`: the one that called `fetch`. Returns false if the response is too large.
   */
  addResponse(response: RecordedFetch, segment: number): boolean {
    const bytes = bytesOf(response);
    if (bytes > this.room) return false;
    this.#bytes += bytes;
    this.#recorded.fetch ??= [];
    this.#recorded.fetch.push(segment === this.#segment ? response : { ...response, segment });
    return true;
  }

  /** What is recorded of the segment that the code is in; undefined if nothing is. */
  current(): SegmentValues | undefined {
    return Object.keys(this.#recorded).length === 0 ? undefined : copyOf(this.#recorded);
  }

  /** Ends the segment, because an operation starts. Returns what was recorded in it. */
  endSegment(): SegmentValues {
    const values = this.#recorded;
    const tail = this.#tailOf(this.#segment);
    this.#recorded = tail ? copyOf(tail) : {};
    this.#bytes = tail ? sizeOf(tail) : 0;
    this.#segment++;
    this.#next = { now: 0, random: 0, uuid: 0 };
    return values;
  }

  /** The beginning of the segment after operation `number`, unless the journal has all of that segment. */
  #tailOf(number: number): SegmentValues | undefined {
    return this.#journal.get(number + 1)?.values ? undefined : this.#journal.get(number)?.values?.tail;
  }

  #value<T>(kind: Kind, real: () => T): T {
    const whole = this.#journal.get(this.#segment)?.values;
    const values = (whole ?? this.#recorded) as Partial<Record<Kind, T[]>>;
    const at = this.#next[kind]++;
    const list = values[kind];
    if (list && at < list.length) return list[at] as T;
    const value = real();
    if (!whole && this.room >= BYTES[kind]) {
      this.#bytes += BYTES[kind];
      values[kind] ??= [];
      values[kind].push(value);
    }
    return value;
  }
}

const bytesOf = (response: RecordedFetch): number =>
  response.request.length + (response.body?.length ?? 0) + JSON.stringify(response.headers).length + 64;

function sizeOf(values: SegmentValues): number {
  let bytes = 0;
  for (const kind of ["now", "random", "uuid"] as const) bytes += BYTES[kind] * (values[kind]?.length ?? 0);
  for (const response of values.fetch ?? []) bytes += bytesOf(response);
  return bytes;
}

/** A copy whose lists can grow on their own. `after` is not the recorder's: the journal adds it. */
function copyOf({ now, random, uuid, fetch }: SegmentValues): SegmentValues {
  return {
    ...(now && { now: [...now] }),
    ...(random && { random: [...random] }),
    ...(uuid && { uuid: [...uuid] }),
    ...(fetch && { fetch: [...fetch] }),
  };
}
