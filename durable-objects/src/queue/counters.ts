import { DeficitRoundRobin } from "../lib/drr.ts";
import { available, availableAt, clamped, type Rate, rateOf, spend } from "../lib/rate.ts";
import type { Sql } from "../lib/sql.ts";
import { TimeHeap } from "../lib/time-heap.ts";
import { LimitedRuns, type Turn } from "./limited-runs.ts";
import type { Held } from "./prefetched-permits.ts";
import type { LimitedUse, LimitsGrant, QueueSettings } from "./rpc.ts";

interface Counts {
  pending: number;
  running: number;
  /** Runs that are DELAYED or wait for a deployment. */
  notYetQueued: number;
  /** `tat` of the key's rate limiter, see `Rate`; 0: nothing started lately. */
  tat: number;
  /** When the limiter allows more of the pending runs to start; null: it holds nothing back. */
  refillAt: number | null;
}

/** A change of a key's counts. */
export interface Change {
  pending?: number;
  running?: number;
  notYetQueued?: number;
}

/** What `take` may take, beside the limits that are counted here. */
export interface TakeLimits {
  /** Most runs without a concurrency key. */
  unkeyed?: number;
  /** Slots that keys hold in other partitions. */
  elsewhere?: Record<string, number>;
  /** What is left of named limits; absent: only runs without those are taken. */
  limits?: LimitsGrant;
}

/** Shortest time between two refills that are acted on. */
const MIN_REFILL_MS = 10;

/**
 * Counts pending and running runs by concurrency key: limits are checked against these. The counters (never the runs) are in
 * memory, and each commit writes those of the keys that it touched, so a restart reads one row per live key and never scans
 * the backlog. Runs without a key share the key ''.
 *
 * As rate limiters refill, time alone changes what is ready. Only `tick` moves the clock, so all readers between two commits
 * see the same state.
 */
export class KeyCounters {
  readonly #keys = new Map<string, Counts>();
  readonly #touched = new Set<string>();
  /** The turns of the keys, for their runs without named limits. */
  readonly #turns = new DeficitRoundRobin();
  readonly #limited = new LimitedRuns();
  /** Runs with named limits come first in the next dequeue that has too few slots for all. */
  #limitedFirst = false;
  /** Keys whose limiter holds runs back, by the time at which it allows more starts. */
  readonly #refills = new TimeHeap();
  /** Keys without runs whose limiter has not recovered, by the time at which it will have. */
  readonly #idle = new TimeHeap();
  #limit = Number.POSITIVE_INFINITY;
  #totalLimit = Number.POSITIVE_INFINITY;
  #rate: Rate | null = null;
  #keyRate: Rate | null = null;
  /** `tat` of the whole queue's limiter. */
  #tat = 0;
  #savedTat = 0;
  #pending = 0;
  #running = 0;
  #notYetQueued = 0;
  /** Slots held, by key, for keys that hold any. */
  readonly #heldByKey = new Map<string, number>();
  /** Whether a key belongs to this partition; null: all keys do. */
  #isHome: ((key: string) => boolean) | null = null;
  /** Keys that belong to another partition and have runs here. */
  readonly #misplacedKeys = new Set<string>();
  #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Slots held. */
  get running(): number {
    return this.#running;
  }

  /** Slots held in all, and by runs without a key. */
  get held(): Held {
    return { all: this.#running, unkeyed: this.#keys.get("")?.running ?? 0 };
  }

  /** Slots held, by concurrency key. */
  get heldByKey(): Record<string, number> {
    return Object.fromEntries(this.#heldByKey);
  }

  get hasMisplacedKeys(): boolean {
    return this.#misplacedKeys.size > 0;
  }

  /** Runs that could be dequeued under the limits of their keys: with and without a key, with and without named limits. */
  get readyByKind(): Record<"open" | "limited", { unkeyed: number; keyed: number }> {
    const [open, limited] = [this.#turns.of(""), this.#limited.readyOf("")];
    return {
      open: { unkeyed: open, keyed: this.#turns.ready - open },
      limited: { unkeyed: limited, keyed: this.#limited.ready - limited },
    };
  }

  /** Runs that hold named limits, by those; undefined: there are none. The same object until something changes. */
  get limitedUse(): Record<string, LimitedUse> | undefined {
    return this.#limited.use;
  }

  /** When the limiter of the whole queue will have recovered. */
  get recoversAt(): number {
    return this.#tat;
  }

  /** Runs that wait for their time or for a deployment. */
  get notYetQueued(): number {
    return this.#notYetQueued;
  }

  /** Runs that the limits of this queue allow to be dequeued now. */
  get ready(): number {
    return Math.max(0, Math.min(this.#wanted, this.#tokens));
  }

  /** What could be dequeued if the whole queue had no rate limit. */
  get #wanted(): number {
    return Math.min(this.#turns.ready + this.#limited.ready, this.#totalLimit - this.#running);
  }

  get #tokens(): number {
    return this.#rate ? available(this.#rate, this.#tat, this.#now) : Number.POSITIVE_INFINITY;
  }

  load(sql: Sql): void {
    this.#limited.load(sql);
    const rows = sql.exec<{
      concurrency_key: string;
      pending: number;
      running: number;
      notYetQueued: number;
      tat: number;
    }>("SELECT concurrency_key, pending, running, later AS notYetQueued, tat FROM keys");
    for (const { concurrency_key: key, tat, ...counts } of rows) {
      this.#keys.set(key, { pending: 0, running: 0, notYetQueued: 0, tat, refillAt: null });
      if (tat > 0) this.#idle.add(tat, key);
      this.add(key, counts);
    }
    this.#tat = this.#savedTat =
      sql
        .exec<{ value: string }>("SELECT value FROM meta WHERE key = 'rate'")
        .map(({ value }) => Number(value))[0] ?? 0;
    this.#touched.clear();
  }

  /** Applies new limits. Runs that execute are not affected; runs that the new limits allow are ready at once. */
  setLimits(settings: QueueSettings): void {
    this.#limit = settings.concurrencyLimit ?? Number.POSITIVE_INFINITY;
    this.#totalLimit = settings.totalConcurrencyLimit ?? Number.POSITIVE_INFINITY;
    this.#rate = settings.rateLimit ? rateOf(settings.rateLimit) : null;
    this.#keyRate = settings.rateLimitPerKey ? rateOf(settings.rateLimitPerKey) : null;
    if (this.#rate) this.#tat = clamped(this.#rate, this.#tat, this.#now);
    for (const [key, counts] of this.#keys) {
      if (this.#keyRate) counts.tat = clamped(this.#keyRate, counts.tat, this.#now);
      this.#turn(key, counts);
    }
  }

  /** Sets which keys belong to this partition; null: all keys do. */
  setHome(isHome: ((key: string) => boolean) | null): void {
    this.#isHome = isHome;
    this.#misplacedKeys.clear();
    if (isHome) for (const [key, counts] of this.#keys) this.#updateMisplaced(key, counts);
  }

  #updateMisplaced(key: string, { pending, running }: Counts): void {
    if (this.#isHome === null || key === "") return;
    if (pending + running > 0 && !this.#isHome(key)) this.#misplacedKeys.add(key);
    else this.#misplacedKeys.delete(key);
  }

  /** `limits`: the named limits of the runs (see `limitSetOf`). */
  add(key: string, change: Change, limits = ""): void {
    const { pending = 0, running = 0, notYetQueued = 0 } = change;
    if (limits !== "" && (pending !== 0 || running !== 0))
      this.#limited.add(key, limits, { pending, running });
    let counts = this.#keys.get(key);
    if (!counts) {
      counts = { pending: 0, running: 0, notYetQueued: 0, tat: 0, refillAt: null };
      this.#keys.set(key, counts);
    }
    counts.pending += pending;
    counts.running += running;
    counts.notYetQueued += notYetQueued;
    this.#pending += pending;
    this.#running += running;
    this.#notYetQueued += notYetQueued;
    this.#touched.add(key);
    this.#turn(key, counts);
    if (key === "") return;
    if (counts.running > 0) this.#heldByKey.set(key, counts.running);
    else this.#heldByKey.delete(key);
    this.#updateMisplaced(key, counts);
  }

  /** Distributes the next `max` slots over the keys, and over the named limits that their runs hold. */
  take(max: number, { unkeyed = Number.POSITIVE_INFINITY, elsewhere = {}, limits }: TakeLimits = {}): Turn[] {
    const most = Math.min(max, this.ready);
    const taken = new Map<string, number>();
    /** How many more runs of a key may be taken. */
    const roomOf = (key: string): number => {
      const counts = this.#keys.get(key);
      if (!counts) return 0;
      const room = this.#roomOf(counts, elsewhere[key] ?? 0);
      return Math.min(room, key === "" ? unkeyed : room) - (taken.get(key) ?? 0);
    };
    const turns: Turn[] = [];
    const add = (more: Turn[]): void => {
      turns.push(...more);
      for (const { key, count } of more) taken.set(key, (taken.get(key) ?? 0) + count);
    };
    const left = () => most - turns.reduce((sum, { count }) => sum + count, 0);
    const takeOpen = (upTo: number) =>
      add(this.#takeOpen(upTo, ["", ...Object.keys(elsewhere), ...taken.keys()], roomOf));
    if (!limits || this.#limited.ready === 0) {
      takeOpen(most);
      return turns;
    }
    // Runs with and without named limits take turns: each kind gets half of the slots, and what the other one leaves.
    this.#limitedFirst = !this.#limitedFirst;
    const half = Math.floor((most + Number(!this.#limitedFirst)) / 2);
    takeOpen(Math.max(half, most - this.#limited.ready));
    add(this.#limited.take(left(), limits, roomOf));
    if (left() > 0) takeOpen(left());
    return turns;
  }

  /** Takes runs without named limits: of each of these keys no more than `roomOf` allows. */
  #takeOpen(max: number, limitedKeys: Iterable<string>, roomOf: (key: string) => number): Turn[] {
    const held: [string, number][] = [];
    for (const key of new Set(limitedKeys)) {
      const ready = this.#turns.of(key);
      const room = Math.max(0, roomOf(key));
      if (room >= ready) continue;
      held.push([key, ready - room]);
      this.#turns.set(key, room);
    }
    const taken = this.#turns.take(max);
    for (const [key, more] of held) this.#turns.set(key, this.#turns.of(key) + more);
    return [...taken].map(([key, count]) => ({ key, limits: "", count }));
  }

  /** Counts starts of a key against the rate limits. */
  started(key: string, count: number): void {
    if (this.#rate) this.#tat = spend(this.#rate, this.#tat, this.#now, count);
    const counts = this.#keys.get(key);
    if (!this.#keyRate || !counts) return;
    counts.tat = spend(this.#keyRate, counts.tat, this.#now, count);
    this.#idle.add(counts.tat, key);
    this.#touched.add(key);
    this.#turn(key, counts);
  }

  /** Moves the clock to `now`. Returns true when that changed what is ready. */
  tick(now: number): boolean {
    const before = this.ready;
    // A clock that was set back must not block the limiters until it reaches its old time again.
    if (now < this.#now) this.#goBack(now);
    this.#now = now;
    for (let due = this.#refills.takeDue(now); due; due = this.#refills.takeDue(now)) {
      const counts = this.#keys.get(due.key);
      if (counts?.refillAt !== due.at) continue;
      counts.refillAt = null;
      this.#turn(due.key, counts);
    }
    for (let due = this.#idle.takeDue(now); due; due = this.#idle.takeDue(now)) this.#touched.add(due.key);
    return this.ready !== before;
  }

  /** What holds runs of a key back: its slots in use, and when the rates of the key and of the queue allow a start. */
  holdOf(key: string, now: number): { running: number; keyStartAt: number | null; startAt: number | null } {
    const counts = this.#keys.get(key);
    const next = (rate: Rate | null, tat: number): number | null =>
      rate && available(rate, tat, now) < 1 ? Math.ceil(availableAt(rate, tat, 1)) : null;
    return {
      running: counts?.running ?? 0,
      keyStartAt: next(this.#keyRate, counts?.tat ?? 0),
      startAt: next(this.#rate, this.#tat),
    };
  }

  /** When a rate limit allows more starts; null: no rate limit holds anything back. */
  get refillAt(): number | null {
    const queue = this.#rate && this.#wanted > this.#tokens ? this.#nextToken(this.#rate, this.#tat) : null;
    for (let first = this.#refills.earliest; first; first = this.#refills.earliest) {
      if (this.#keys.get(first.key)?.refillAt === first.at)
        return queue === null ? first.at : Math.min(queue, first.at);
      this.#refills.takeDue(first.at);
    }
    return queue;
  }

  /** Writes the counts of the keys touched since the last call. */
  save(sql: Sql): void {
    this.#limited.save(sql);
    for (const key of this.#touched) {
      const counts = this.#keys.get(key);
      if (!counts) continue;
      const { pending, running, notYetQueued, tat } = counts;
      if (pending > 0 || running > 0 || notYetQueued > 0 || tat > this.#now) {
        sql.exec(
          `INSERT INTO keys (concurrency_key, pending, running, later, tat) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (concurrency_key) DO UPDATE SET
             pending = excluded.pending, running = excluded.running, later = excluded.later, tat = excluded.tat`,
          key,
          pending,
          running,
          notYetQueued,
          tat,
        );
      } else {
        sql.exec("DELETE FROM keys WHERE concurrency_key = ?", key);
        this.#keys.delete(key);
      }
    }
    this.#touched.clear();
    if (this.#tat === this.#savedTat) return;
    sql.exec(
      "INSERT INTO meta (key, value) VALUES ('rate', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      String(this.#tat),
    );
    this.#savedTat = this.#tat;
  }

  /** Runs that the limits of a key allow to be dequeued, beside the slots that it holds `elsewhere`. */
  #roomOf({ running, tat }: Counts, elsewhere: number): number {
    const rate = this.#keyRate;
    const tokens = rate ? available(rate, tat, this.#now) : Number.POSITIVE_INFINITY;
    return Math.min(this.#limit - running - elsewhere, tokens);
  }

  #turn(key: string, counts: Counts): void {
    const wanted = Math.min(counts.pending, this.#limit - counts.running);
    const rate = this.#keyRate;
    const tokens = rate ? available(rate, counts.tat, this.#now) : Number.POSITIVE_INFINITY;
    const open = counts.pending - this.#limited.pendingOf(key);
    this.#turns.set(key, Math.min(open, wanted, tokens));
    if (this.#limited.has(key)) this.#limited.setRoom(key, Math.min(wanted, tokens));
    const at = rate && wanted > tokens ? this.#nextToken(rate, counts.tat) : null;
    if (at === null) {
      counts.refillAt = null;
      return;
    }
    if (counts.refillAt !== null && counts.refillAt <= at) return;
    counts.refillAt = at;
    this.#refills.add(at, key);
  }

  /** When the next token arrives, in whole milliseconds as timers take. Null: the limiter is full. */
  #nextToken(rate: Rate, tat: number): number | null {
    const tokens = available(rate, tat, this.#now);
    if (tokens >= rate.burst) return null;
    const at = availableAt(rate, tat, tokens + 1);
    return Math.max(Math.ceil(at), this.#now + MIN_REFILL_MS);
  }

  #goBack(now: number): void {
    if (this.#rate) this.#tat = clamped(this.#rate, this.#tat, now);
    if (!this.#keyRate) return;
    for (const [key, counts] of this.#keys) {
      counts.tat = clamped(this.#keyRate, counts.tat, now);
      if (counts.tat > now) this.#idle.add(counts.tat, key);
      if (counts.refillAt !== null) this.#refills.add(now, key);
      if (counts.refillAt !== null) counts.refillAt = now;
    }
  }
}
