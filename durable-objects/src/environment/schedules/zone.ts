const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** No zone is further from UTC than this. */
const MAX_OFFSET = 15 * HOUR;

const zones = new Map<string, Zone>();
/** There are about 420 zones and 180 older names of them. */
const MAX_ZONES = 1_000;
/** The number of days whose offsets a zone caches. */
const MAX_DAYS = 2_000;

/** Returns the zone of an IANA name such as `Europe/Paris`; null if there is no such zone. */
export function zoneOf(name: string): Zone | null {
  const known = zones.get(name);
  if (known) return known;
  // Intl accepts offsets too, which are not zones.
  if (!/^[A-Za-z]/.test(name)) return null;
  try {
    const zone = new Zone(name);
    if (zones.size >= MAX_ZONES) zones.clear();
    zones.set(name, zone);
    return zone;
  } catch {
    return null;
  }
}

/**
 * The relation of a time zone's clocks to UTC. A wall-clock time is represented as the milliseconds since the
 * epoch at which a UTC clock shows that time.
 */
export class Zone {
  readonly #formatter: Intl.DateTimeFormat;
  readonly #isUtc: boolean;
  /** The offset by UTC day; null if it changes within that day. */
  readonly #days = new Map<number, number | null>();
  /** The offset by instant, for days with a change. */
  readonly #moments = new Map<number, number>();

  constructor(name: string) {
    this.#formatter = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    this.#isUtc = this.#formatter.resolvedOptions().timeZone === "UTC";
  }

  /** Returns the zone's offset at an instant: the wall-clock time minus the instant. */
  offsetAt(instant: number): number {
    if (this.#isUtc) return 0;
    const day = Math.floor(instant / DAY);
    let offset = this.#days.get(day);
    if (offset === undefined) {
      const start = this.#read(day * DAY);
      offset = start === this.#read((day + 1) * DAY) ? start : null;
      if (this.#days.size >= MAX_DAYS) this.#days.clear();
      this.#days.set(day, offset);
    }
    return offset ?? this.#atMoment(instant);
  }

  /** Returns whether clocks change within a day of the zone, or close enough to it to affect its times. */
  changesAround(day: number): boolean {
    return this.offsetAt(day * DAY - MAX_OFFSET) !== this.offsetAt((day + 1) * DAY + MAX_OFFSET);
  }

  /**
   * Returns the instants at which the clocks show this time: one, two (they were set back), or none (they
   * were set forward past it).
   */
  instantsOf(wall: number): number[] {
    const [before, after] = this.#offsetsAround(wall);
    const first = wall - before;
    const second = wall - after;
    const instants = this.offsetAt(first) === before ? [first] : [];
    if (second !== first && this.offsetAt(second) === after) instants.push(second);
    return instants;
  }

  /** Resolves a skipped time as if the clocks had not been set forward, so 02:30 becomes 03:30. */
  shifted(wall: number): number {
    return wall - this.#offsetsAround(wall)[0];
  }

  #offsetsAround(wall: number): [number, number] {
    return [this.offsetAt(wall - DAY), this.offsetAt(wall + DAY)];
  }

  #atMoment(instant: number): number {
    // Clocks change at a full minute.
    const minute = Math.floor(instant / MINUTE);
    let offset = this.#moments.get(minute);
    if (offset === undefined) {
      offset = this.#read(minute * MINUTE);
      if (this.#moments.size >= 10_000) this.#moments.clear();
      this.#moments.set(minute, offset);
    }
    return offset;
  }

  #read(instant: number): number {
    const shown = this.#formatter.format(instant).match(/\d+/g) as RegExpMatchArray;
    const [month, date, year, hour, minute, second] = shown.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return Date.UTC(year, month - 1, date, hour, minute, second) - instant;
  }
}

/** Returns all zones that schedules can have, `UTC` first. */
export const zoneNames = (): string[] => [
  "UTC",
  ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC"),
];
