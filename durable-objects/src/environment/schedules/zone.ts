const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** No zone is further from UTC than this. */
const MAX_OFFSET = 15 * HOUR;

const zones = new Map<string, Zone>();
/** There are about 420 zones and 180 older names of them. */
const MAX_ZONES = 1_000;
/** Days whose offsets a zone keeps. */
const MAX_DAYS = 2_000;

/** The zone of an IANA name such as `Europe/Paris`; null where the name is none. */
export function zoneOf(name: string): Zone | null {
  const known = zones.get(name);
  if (known) return known;
  // Intl takes offsets too; they are no zones.
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
 * How the clocks of a time zone stand to UTC. A wall-clock time is given as the milliseconds since the epoch at which a
 * clock that shows UTC shows it.
 */
export class Zone {
  readonly #formatter: Intl.DateTimeFormat;
  readonly #isUtc: boolean;
  /** By day of UTC: the offset, null where it changes in that day. */
  readonly #days = new Map<number, number | null>();
  /** By moment, for days with a change. */
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

  /** What a clock of the zone shows at an instant, minus the instant. */
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

  /** Whether clocks are changed while a day of the zone passes, or so near to it that its times are concerned. */
  changesAround(day: number): boolean {
    return this.offsetAt(day * DAY - MAX_OFFSET) !== this.offsetAt((day + 1) * DAY + MAX_OFFSET);
  }

  /** When the clocks show this time: once, twice (they were set back), or never (they were set forward past it). */
  instantsOf(wall: number): number[] {
    const [before, after] = this.#offsetsAround(wall);
    const first = wall - before;
    const second = wall - after;
    const instants = this.offsetAt(first) === before ? [first] : [];
    if (second !== first && this.offsetAt(second) === after) instants.push(second);
    return instants;
  }

  /** For a time that clocks skip: as if they had not been set forward, so 02:30 becomes 03:30. */
  shifted(wall: number): number {
    return wall - this.#offsetsAround(wall)[0];
  }

  #offsetsAround(wall: number): [number, number] {
    return [this.offsetAt(wall - DAY), this.offsetAt(wall + DAY)];
  }

  #atMoment(instant: number): number {
    // Clocks are changed at a full minute.
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

/** All zones that schedules can be in, `UTC` first. */
export const zoneNames = (): string[] => [
  "UTC",
  ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC"),
];
