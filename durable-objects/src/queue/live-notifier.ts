import { log } from "../lib/log.ts";
import type { LiveInterest } from "../live/rpc.ts";
import type { RunRow } from "../rpc.ts";
import type { ProjectionCursor } from "./projection.ts";

/**
 * Changes within this time are sent in one call to the LiveObject, with only the latest state of each run.
 */
const GATHER_MS = 15;
/** Each row adds this much, so that a dense stream of changes is gathered for longer. */
const GATHER_MS_A_ROW = 0.5;
const MAX_GATHER_MS = 100;
const BATCH = 200;
const RETRY_MS = 500;
/** A LiveObject that can't be reached for this long is called less often. */
const FAILING_MS = 60_000;
const PAUSE_MS = 10_000;
/** Rows that have reached the query side are safe once the LiveObject has answered after that: it is called this much later. */
const CONFIRM_MS = 1_000;

interface Source {
  /** The version of the latest change. */
  now(): ProjectionCursor;
  /** How far rows were sent to the query side, as it is stored. */
  projected(): ProjectionCursor;
  next(from: ProjectionCursor, limit: number): { rows: RunRow[]; cursor: ProjectionCursor };
}

interface Known extends LiveInterest {
  until: number;
  ids: Set<string>;
}

/**
 * Sends changed rows of a queue to its environment's LiveObject if somebody watches. If nobody does, a change
 * costs one comparison. It is never part of a commit: the rows to send are read from the table by version.
 */
export class LiveNotifier {
  readonly #source: Source;
  readonly #send: (rows: RunRow[], life: string | null) => Promise<LiveInterest>;
  readonly #now: () => number;
  /** Null: the interest is not known yet in this life of the object, or no longer known. */
  #interest: Known | null = null;
  /**
   * Changes up to here were sent, or nobody wanted them. Null: nothing was sent in this life of the object.
   */
  #cursor: ProjectionCursor | null = null;
  #scheduled = false;
  #lastRows = 0;
  #failingSince: number | null = null;
  /** Counts how often the cursor was moved back. */
  #movedBack = 0;
  /** Rows up to here have reached the query side. */
  #projected: ProjectionCursor | null = null;
  /**
   * Rows up to here had reached the query side when the LiveObject answered last. What was sent after that is known to
   * that life of the LiveObject only: listeners of a later one would find it nowhere.
   */
  #safe: ProjectionCursor | null = null;
  #confirming = false;
  #mustAsk = false;

  constructor(
    source: Source,
    send: (rows: RunRow[], life: string | null) => Promise<LiveInterest>,
    now: () => number = Date.now,
  ) {
    this.#source = source;
    this.#send = send;
    this.#now = now;
  }

  /** Records that something changed. */
  changed(): void {
    if (this.#isSilent()) this.#cursor = this.#source.now();
    else this.#schedule();
  }

  /** Sends what an earlier life left unsent: the object was restarted, or its alarm fired. */
  wake(): void {
    const cursor = this.#begin();
    if (this.#isSilent()) return;
    if (this.#mustAsk || cursor.version < this.#source.now().version) this.#schedule();
  }

  /** Applies the LiveObject's interest. An earlier interest that arrives late changes nothing. */
  listen(interest: LiveInterest): void {
    const known = this.#interest;
    if (known && interest.at <= known.at) return;
    this.#interest = { ...interest, until: this.#now() + interest.forMs, ids: new Set(interest.runs) };
    if (!known || !interest.all) return;
    // The query side's lists may lack changes that were held back and not sent there yet.
    if (!known.all) this.#moveBack(this.#source.projected());
    else if (known.life !== interest.life) this.#moveBack(this.#safe ?? this.#source.projected());
  }

  /**
   * Returns up to where rows may be recorded as sent to the query side: if somebody watches, no further than
   * they were sent to the LiveObject too, so that an object that dies between the two sends them again.
   */
  limit(projected: ProjectionCursor): ProjectionCursor {
    const cursor = this.#begin();
    this.#projected = projected;
    if (this.#isSilent()) return projected;
    this.#confirmSoon();
    return earlier(cursor, projected);
  }

  /** An earlier life of this object has sent at least what it stored as projected. */
  #begin(): ProjectionCursor {
    this.#cursor ??= this.#source.projected();
    this.#safe ??= this.#cursor;
    return this.#cursor;
  }

  /** Calls the LiveObject after a while, unless it has answered by then because of another change. */
  #confirmSoon(): void {
    if (this.#confirming || !this.#isUnsafe()) return;
    this.#confirming = true;
    setTimeout(() => {
      this.#confirming = false;
      if (!this.#isUnsafe()) return;
      this.#mustAsk = true;
      this.#schedule();
    }, CONFIRM_MS);
  }

  #isUnsafe(): boolean {
    const projected = this.#projected;
    return (
      projected !== null &&
      this.#interest?.all === true &&
      (this.#safe === null || isBefore(this.#safe, projected))
    );
  }

  #moveBack(to: ProjectionCursor): void {
    if (this.#cursor === null || !isBefore(to, this.#cursor)) return;
    this.#cursor = to;
    this.#movedBack += 1;
    this.#schedule();
  }

  #isSilent(): boolean {
    const interest = this.#interest;
    return interest !== null && !interest.all && interest.ids.size === 0 && interest.until > this.#now();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => void this.#run(), this.#delay());
  }

  #delay(): number {
    if (this.#failingSince === null)
      return Math.min(MAX_GATHER_MS, GATHER_MS + this.#lastRows * GATHER_MS_A_ROW);
    return this.#now() - this.#failingSince < FAILING_MS ? RETRY_MS : PAUSE_MS;
  }

  async #run(): Promise<void> {
    try {
      await this.#flush();
      this.#failingSince = null;
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#scheduled = false;
    }
    // Sends what changed meanwhile, or failed.
    this.wake();
  }

  async #flush(): Promise<void> {
    this.#begin();
    const known = this.#interest;
    // Perhaps nobody listens: finding that out takes no rows.
    if (this.#mustAsk || !known || (!known.all && known.until <= this.#now())) await this.#tell([]);
    for (;;) {
      const { all, ids } = this.#interest as Known;
      const now = this.#source.now();
      if (!all && ids.size === 0) {
        this.#cursor = now;
        return;
      }
      const movedBack = this.#movedBack;
      const { rows, cursor } = this.#source.next(this.#begin(), BATCH);
      const wanted = all ? rows : rows.filter(({ id }) => ids.has(id));
      this.#lastRows = wanted.length;
      // A watcher wants more than was sent, or the rows were refused: reading resumes from where that begins.
      if (wanted.length > 0 && !(await this.#tell(wanted))) continue;
      if (this.#movedBack !== movedBack) continue;
      this.#cursor = rows.length < BATCH ? now : cursor;
      if (rows.length < BATCH) return;
    }
  }

  /**
   * Returns false if another life of the LiveObject answered than the one that the rows were for, and so
   * accepted none of them.
   */
  async #tell(rows: RunRow[]): Promise<boolean> {
    const projected = this.#projected;
    const life = this.#interest?.life ?? null;
    const interest = await this.#send(rows, life);
    this.#mustAsk = false;
    this.listen(interest);
    // An answer that was overtaken says nothing about the life that has answered since.
    if (this.#interest?.at === interest.at) this.#safe = projected ?? this.#safe;
    else if (life !== interest.life) throw new Error("The LiveObject was restarted, and its clock is behind");
    return life === interest.life;
  }

  #failed(error: unknown): void {
    if (this.#failingSince !== null) return;
    this.#failingSince = this.#now();
    log.error("Watchers could not be notified of changed runs; it is tried again", { error });
  }
}

const isBefore = (a: ProjectionCursor, b: ProjectionCursor): boolean =>
  a.version < b.version || (a.version === b.version && a.seq < b.seq);

const earlier = (a: ProjectionCursor, b: ProjectionCursor): ProjectionCursor => (isBefore(a, b) ? a : b);
