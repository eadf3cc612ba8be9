import type { IsolateVitals, VitalCounter, VitalKind, VitalSums } from "@acme/durable-objects/lib/vitals";
import type { PlatformVitals, VitalsReport } from "./rpc.ts";

/** An isolate reports every fifteen seconds while its objects work: one that missed three is gone, or idle. */
const FRESH_MS = 45_000;
/** Isolates that are remembered at most. */
const MOST_ISOLATES = 10_000;

type Counters = IsolateVitals["counters"];

/** Adds up what isolates report: figures of those that are there, and counters of all that ever were. */
export class VitalsTotals {
  readonly #isolates = new Map<string, { seq: number; at: number; vitals: IsolateVitals }>();
  readonly #counters: Counters;

  /** @param counters what was counted before */
  constructor(counters: Counters) {
    this.#counters = { ...counters };
  }

  get counters(): Counters {
    return this.#counters;
  }

  /** Returns false for a report that is known already. */
  add({ isolate, seq, vitals }: VitalsReport, now: number): boolean {
    const before = this.#isolates.get(isolate);
    if (before && before.seq >= seq) return false;
    // If the isolate is not known, because this object was restarted, everything that it has counted is
    // treated as new.
    for (const [name, value] of Object.entries(vitals.counters) as [VitalCounter, number][]) {
      const grown = value - (before?.vitals.counters[name] ?? 0);
      if (grown > 0) this.#counters[name] = (this.#counters[name] ?? 0) + grown;
    }
    if (this.#isolates.size >= MOST_ISOLATES) this.#forget(now);
    this.#isolates.set(isolate, { seq, at: now, vitals });
    return true;
  }

  read(now: number, since: number): PlatformVitals {
    const totals: PlatformVitals = { isolates: 0, kinds: {}, sockets: 0, counters: this.#counters, since };
    for (const { at, vitals } of this.#isolates.values()) {
      if (now - at > FRESH_MS) continue;
      totals.isolates += 1;
      totals.sockets += vitals.sockets;
      for (const [kind, of] of Object.entries(vitals.kinds) as [VitalKind, VitalSums][]) {
        const all = totals.kinds[kind] ?? { objects: 0, sums: {}, largest: {} };
        totals.kinds[kind] = all;
        all.objects += of.objects;
        for (const [name, value] of Object.entries(of.sums)) all.sums[name] = (all.sums[name] ?? 0) + value;
        for (const [name, value] of Object.entries(of.largest))
          all.largest[name] = Math.max(all.largest[name] ?? 0, value);
      }
    }
    return totals;
  }

  /** Forgets isolates that are long gone; their counts are kept. */
  #forget(now: number): void {
    for (const [isolate, { at }] of this.#isolates) if (now - at > FRESH_MS) this.#isolates.delete(isolate);
  }
}
