/**
 * How the objects of this isolate are, as sums over each class: what a class has in memory anyway, noted by
 * its objects while they work. Collecting them calls no object, so a hibernating object is not woken; they
 * contain no name of an object or tenant.
 */
export const VITAL_GAUGES = {
  queue: ["queued", "executing", "prefetched_permits", "unsent_versions"],
  environment: ["held_permits", "ready_runs"],
  dispatcher: ["polls", "sessions"],
  feed: ["bytes"],
} as const;
export type VitalKind = keyof typeof VITAL_GAUGES;
export type VitalsOf<Kind extends VitalKind> = Record<(typeof VITAL_GAUGES)[Kind][number], number>;

/** What counts up: alarms of objects, those that came more than a second late, by how much, and the Worker's answers. */
export type VitalCounter =
  | "alarms"
  | "late_alarms"
  | "alarm_delay_ms"
  | "answers_2xx"
  | "answers_3xx"
  | "answers_4xx"
  | "answers_5xx"
  | "answers_1xx";

/** How many objects of a class worked within the last minute, the sum of each figure, and the largest of one object. */
export interface VitalSums {
  objects: number;
  sums: Record<string, number>;
  largest: Record<string, number>;
}

/** What one isolate says of its objects. */
export interface IsolateVitals {
  kinds: Partial<Record<VitalKind, VitalSums>>;
  /** Sockets of live objects, also of those that sleep: they are connected all the same. */
  sockets: number;
  /** What was counted since the isolate began. */
  counters: Partial<Record<VitalCounter, number>>;
}

/** An object that noted nothing for so long sleeps, or is in another isolate now. */
const AWAKE_MS = 60_000;
/** Notes of one object are apart by this at least: each is an entry of a map, and the hot path makes thousands a second. */
const NOTE_MS = 1_000;
const LATE_MS = 1_000;
/** Above this many objects in one isolate, those that sleep are forgotten even if nobody reads them. */
const MOST_OBJECTS = 50_000;

interface Noted {
  kind: VitalKind;
  at: number;
  figures: Record<string, number>;
}

export class Vitals {
  readonly #objects = new Map<string, Noted>();
  readonly #counters = new Map<VitalCounter, number>();
  sockets = 0;
  #forgotAt = 0;

  /** Whether it is time for a note again: most are spared. */
  isDue(kind: VitalKind, id: string, now: number): boolean {
    return now - (this.#objects.get(`${kind}/${id}`)?.at ?? 0) >= NOTE_MS;
  }

  note<Kind extends VitalKind>(kind: Kind, id: string, figures: VitalsOf<Kind>, now: number): void {
    // Not with each note: where that many are awake, there is nothing to forget.
    if (this.#objects.size >= MOST_OBJECTS && now - this.#forgotAt >= AWAKE_MS) this.#forget(now);
    this.#objects.set(`${kind}/${id}`, { kind, at: now, figures });
  }

  count(counter: VitalCounter, by = 1): void {
    this.#counters.set(counter, (this.#counters.get(counter) ?? 0) + by);
  }

  /** An alarm came at `now` that was set to `due`. */
  alarmFired(due: number, now: number): void {
    const delay = Math.max(0, now - due);
    this.count("alarms");
    this.count("alarm_delay_ms", delay);
    if (delay > LATE_MS) this.count("late_alarms");
  }

  read(now: number): IsolateVitals {
    this.#forget(now);
    const kinds: IsolateVitals["kinds"] = {};
    for (const { kind, figures } of this.#objects.values()) {
      const of = kinds[kind] ?? { objects: 0, sums: {}, largest: {} };
      kinds[kind] = of;
      of.objects += 1;
      for (const [name, value] of Object.entries(figures)) {
        of.sums[name] = (of.sums[name] ?? 0) + value;
        of.largest[name] = Math.max(of.largest[name] ?? 0, value);
      }
    }
    return { kinds, sockets: this.sockets, counters: Object.fromEntries(this.#counters) };
  }

  #forget(now: number): void {
    this.#forgotAt = now;
    for (const [key, { at }] of this.#objects) if (now - at > AWAKE_MS) this.#objects.delete(key);
  }
}

/** What the objects of this isolate note, and what the Worker counts in it. */
export const vitals = new Vitals();
