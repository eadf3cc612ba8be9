import type { RunChange } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** The simulated schedules run every minute. */
const PERIOD_MS = 60_000;
/** How late a run may be created because of faults, and how far clocks are off. */
const MARGIN_MS = 25_000;

interface Schedule {
  /** Ticks between these times must fire: the schedule was acknowledged. */
  from: number;
  until: number | null;
  ticks: Set<number>;
}

/** A period in which the whole machine was paused. */
export interface Pause {
  from: number;
  to: number;
}

/** Invariant 5: each tick of a schedule has one run; of the ticks during a pause of the machine, only the last has one. */
export class Ticks {
  readonly #violations: Violations;
  readonly #now: () => number;
  readonly #schedules = new Map<string, Schedule>();

  constructor(violations: Violations, now: () => number) {
    this.#violations = violations;
    this.#now = now;
  }

  /** The schedule was acknowledged. */
  created(scheduleId: string): void {
    this.#schedule(scheduleId).from = this.#now();
  }

  /** The deletion of the schedule is requested now. */
  ending(scheduleId: string): void {
    this.#schedule(scheduleId).until = this.#now();
  }

  changed({ database, before, after }: RunChange): void {
    if (before) return;
    const row = database.prepare("SELECT spec FROM runs WHERE seq = ?").get(after.seq);
    const spec = JSON.parse(row?.spec as string) as { scheduleId?: string; idempotency?: { key: string } };
    if (!spec.scheduleId || !spec.idempotency) return;
    const { ticks } = this.#schedule(spec.scheduleId);
    const tick = Date.parse(spec.idempotency.key.slice(spec.scheduleId.length + 1));
    const name = `tick ${new Date(tick).toISOString()} of ${spec.scheduleId}`;
    if (ticks.has(tick)) this.#violations.report(5, `${name} has another run, ${after.id}`);
    if (tick > this.#now() + MARGIN_MS)
      this.#violations.report(5, `${name} has its run ${after.id} too early`);
    ticks.add(tick);
  }

  atEnd(pauses: readonly Pause[]): void {
    for (const [id, { from, until, ticks }] of this.#schedules) {
      const first = Math.ceil((from + MARGIN_MS) / PERIOD_MS) * PERIOD_MS;
      for (let tick = first; until !== null && tick < until - PERIOD_MS - MARGIN_MS; tick += PERIOD_MS) {
        const name = `tick ${new Date(tick).toISOString()} of ${id}`;
        if (!ticks.has(tick) && !pauses.some((pause) => mayPass(pause, tick)))
          this.#violations.report(5, `${name} has no run`);
        if (ticks.has(tick) && pauses.some((pause) => mustPass(pause, tick)))
          this.#violations.report(5, `${name} has a run, though a later one was due when all went on`);
      }
    }
  }

  #schedule(id: string): Schedule {
    let schedule = this.#schedules.get(id);
    if (!schedule) {
      schedule = { from: Number.POSITIVE_INFINITY, until: null, ticks: new Set() };
      this.#schedules.set(id, schedule);
    }
    return schedule;
  }
}

/** The tick's run may not have been created before the pause, and a later tick is due after it. */
const mayPass = ({ from, to }: Pause, tick: number): boolean =>
  from < tick + PERIOD_MS + MARGIN_MS && to > tick - MARGIN_MS;

const mustPass = ({ from, to }: Pause, tick: number): boolean =>
  tick > from + MARGIN_MS && tick + PERIOD_MS < to - MARGIN_MS;
