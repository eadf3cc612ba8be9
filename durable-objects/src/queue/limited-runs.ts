import type { Sql } from "../lib/sql.ts";
import { limitNamesOf } from "../routing/limit-sets.ts";
import type { LimitedUse, LimitsGrant } from "./rpc.ts";

/** The runs of one concurrency key that hold the same named limits. */
interface Lane {
  key: string;
  limits: string;
  names: string[];
  pending: number;
  running: number;
  /** How many could be dequeued under the limits of the queue. */
  ready: number;
}

/** How many runs of a lane are dequeued. */
export interface Turn {
  key: string;
  /** See `limitSetOf`. */
  limits: string;
  count: number;
}

interface KeyLanes {
  lanes: Set<Lane>;
  pending: number;
}

/**
 * The maximum number of lanes that one dequeue examines without finding a run. The next dequeue continues
 * after them.
 */
const MAX_PASSED = 10_000;

/**
 * Counts the runs that hold named concurrency limits, by key and limits. Those limits span queues: the environment counts them,
 * and a grant says how much of each is left. The runs are counted by `KeyCounters` too, which keeps the limits of the queue.
 */
export class LimitedRuns {
  readonly #lanes = new Map<string, Lane>();
  readonly #ofKey = new Map<string, KeyLanes>();
  /** Lanes with something ready, in the order of their turns. */
  readonly #ring = new Map<string, Lane>();
  readonly #touched = new Set<Lane>();
  #ready = 0;
  /** By limits. */
  readonly #uses = new Map<string, LimitedUse>();
  #snapshot: Record<string, LimitedUse> | undefined;
  #changed = false;

  /** Runs that could be dequeued if there were no named limits. */
  get ready(): number {
    return this.#ready;
  }

  readyOf(key: string): number {
    let ready = 0;
    for (const lane of this.#ofKey.get(key)?.lanes ?? []) ready += lane.ready;
    return ready;
  }

  pendingOf(key: string): number {
    return this.#ofKey.get(key)?.pending ?? 0;
  }

  has(key: string): boolean {
    return this.#ofKey.has(key);
  }

  /**
   * Returns the counts for the environment, by limits. The same object until something changes; undefined if
   * no run holds limits.
   */
  get use(): Record<string, LimitedUse> | undefined {
    if (this.#changed) {
      const uses = [...this.#uses].map(([limits, use]) => [limits, { ...use, keys: { ...use.keys } }]);
      this.#snapshot = uses.length === 0 ? undefined : Object.fromEntries(uses);
      this.#changed = false;
    }
    return this.#snapshot;
  }

  load(sql: Sql): void {
    const rows = sql.exec<{ key: string; limits: string; pending: number; running: number }>(
      "SELECT concurrency_key AS key, limits, pending, running FROM lanes",
    );
    for (const { key, limits, ...counts } of rows) this.add(key, limits, counts);
    this.#touched.clear();
  }

  add(
    key: string,
    limits: string,
    { pending = 0, running = 0 }: { pending?: number; running?: number },
  ): void {
    const id = idOf(key, limits);
    let lane = this.#lanes.get(id);
    let ofKey = this.#ofKey.get(key);
    if (!ofKey) {
      ofKey = { lanes: new Set(), pending: 0 };
      this.#ofKey.set(key, ofKey);
    }
    if (!lane) {
      lane = { key, limits, names: limitNamesOf(limits), pending: 0, running: 0, ready: 0 };
      this.#lanes.set(id, lane);
      ofKey.lanes.add(lane);
    }
    lane.pending += pending;
    lane.running += running;
    ofKey.pending += pending;
    this.#touched.add(lane);
    this.#count(lane, { held: running, queued: pending, ready: 0 });
  }

  /** Sets how many runs of a key the limits of the queue allow. To be called after each change of the key's counts. */
  setRoom(key: string, room: number): void {
    for (const lane of this.#ofKey.get(key)?.lanes ?? []) {
      const ready = Math.max(0, Math.min(lane.pending, room));
      if (ready === lane.ready) continue;
      this.#ready += ready - lane.ready;
      this.#count(lane, { held: 0, queued: 0, ready: ready - lane.ready });
      lane.ready = ready;
      const id = idOf(key, lane.limits);
      if (ready === 0) this.#ring.delete(id);
      else if (!this.#ring.has(id)) this.#ring.set(id, lane);
    }
  }

  /**
   * Distributes up to `max` slots over the lanes in turn, one at a time, as far as the grant allows. `roomOf`
   * says how many runs of a key may be taken here.
   */
  take(max: number, grant: LimitsGrant, roomOf: (key: string) => number): Turn[] {
    const turns = new Map<Lane, Turn>();
    const left = new GrantLeft(grant);
    const takenOfKey = new Map<string, number>();
    for (let taken = 0, passed = 0; taken < max && passed < Math.min(this.#ring.size, MAX_PASSED); ) {
      const [id, lane] = this.#ring.entries().next().value as [string, Lane];
      this.#ring.delete(id);
      this.#ring.set(id, lane);
      const ofKey = takenOfKey.get(lane.key) ?? 0;
      const turn = turns.get(lane) ?? { key: lane.key, limits: lane.limits, count: 0 };
      if (turn.count >= lane.ready || ofKey >= roomOf(lane.key) || !left.take(lane)) {
        passed += 1;
        continue;
      }
      turn.count += 1;
      turns.set(lane, turn);
      takenOfKey.set(lane.key, ofKey + 1);
      taken += 1;
      passed = 0;
    }
    return [...turns.values()];
  }

  /** Writes the counts of the lanes touched since the last call. */
  save(sql: Sql): void {
    for (const lane of this.#touched) {
      const { key, limits, pending, running } = lane;
      if (pending > 0 || running > 0) {
        sql.exec(
          `INSERT INTO lanes (concurrency_key, limits, pending, running) VALUES (?, ?, ?, ?)
           ON CONFLICT (concurrency_key, limits) DO UPDATE SET pending = excluded.pending, running = excluded.running`,
          key,
          limits,
          pending,
          running,
        );
        continue;
      }
      sql.exec("DELETE FROM lanes WHERE concurrency_key = ? AND limits = ?", key, limits);
      this.#lanes.delete(idOf(key, limits));
      const ofKey = this.#ofKey.get(key);
      ofKey?.lanes.delete(lane);
      if (ofKey?.lanes.size === 0) this.#ofKey.delete(key);
    }
    this.#touched.clear();
  }

  #count({ key, limits, running }: Lane, { held, queued, ready }: Omit<LimitedUse, "keys">): void {
    const use = this.#uses.get(limits) ?? { held: 0, ready: 0, queued: 0, keys: {} };
    use.held += held;
    use.ready += ready;
    use.queued += queued;
    if (running > 0) use.keys[key] = running;
    else delete use.keys[key];
    if (use.held === 0 && use.queued === 0 && use.ready === 0) this.#uses.delete(limits);
    else this.#uses.set(limits, use);
    this.#changed = true;
  }
}

/** The remaining slots of a grant's limits while slots are distributed. */
class GrantLeft {
  readonly #grant: LimitsGrant;
  readonly #taken = new Map<string, number>();

  constructor(grant: LimitsGrant) {
    this.#grant = grant;
  }

  /**
   * Takes one slot of each limit of the lane. Returns false, with nothing taken, if one of them has none
   * left.
   */
  take({ names, key }: Lane): boolean {
    const counted = names.flatMap((name) => [name, idOf(key, name)]);
    const fits = names.every((name) => {
      const limit = this.#grant[name];
      if (!limit) return false;
      const ofKey = limit.keys[key] ?? limit.perKey;
      return this.#fits(name, limit.free) && this.#fits(idOf(key, name), ofKey);
    });
    if (fits) for (const each of counted) this.#taken.set(each, (this.#taken.get(each) ?? 0) + 1);
    return fits;
  }

  #fits(counted: string, most: number | null): boolean {
    return most === null || (this.#taken.get(counted) ?? 0) < most;
  }
}

/** Names of limits contain no space. */
const idOf = (key: string, limits: string): string => `${limits} ${key}`;
