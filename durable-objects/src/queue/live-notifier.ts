import type { LiveInterest } from "../live/rpc.ts";
import type { RunRow } from "../rpc.ts";
import type { ProjectionCursor } from "./projection.ts";

/** Changes of a moment go together: one call to the LiveObject, and of each run only the latest state. */
const GATHER_MS = 15;
/** A dense stream of changes is gathered for longer: each row adds this much. */
const GATHER_MS_A_ROW = 0.5;
const MAX_GATHER_MS = 100;
const BATCH = 200;
const RETRY_MS = 500;
/** A LiveObject that can't be reached for this long has lost its listeners, who come back with a snapshot. */
const GIVE_UP_MS = 60_000;
/** After that, the next change asks it again this much later. */
const PAUSE_MS = 10_000;

interface Source {
  /** The state of the object: changes up to here were made. */
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
 * Sends changed rows of a queue to its environment's LiveObject where somebody watches. Where nobody does, a change costs
 * one comparison. It is never part of a commit: what is to be sent is read from the rows themselves, by version.
 */
export class LiveNotifier {
  readonly #source: Source;
  readonly #send: (rows: RunRow[]) => Promise<LiveInterest>;
  readonly #now: () => number;
  /** Null: not known, in this life of the object or any more. */
  #interest: Known | null = null;
  /** Changes up to here were sent, or nobody wanted them. Null: nothing was, in this life of the object. */
  #cursor: ProjectionCursor | null = null;
  #scheduled = false;
  #lastRows = 0;
  #failingSince: number | null = null;
  /** Counts how often somebody began to want what was kept back. */
  #widened = 0;

  constructor(source: Source, send: (rows: RunRow[]) => Promise<LiveInterest>, now: () => number = Date.now) {
    this.#source = source;
    this.#send = send;
    this.#now = now;
  }

  /** Something changed. */
  changed(): void {
    if (this.#isSilent()) this.#cursor = this.#source.now();
    else this.#schedule();
  }

  /** The object was started again, or its alarm fired: what an earlier life left unsent is sent. */
  wake(): void {
    this.#cursor ??= this.#source.projected();
    if (!this.#isSilent() && this.#cursor.version < this.#source.now().version) this.#schedule();
  }

  /** The LiveObject says what is watched from now on. An earlier word that comes late changes nothing. */
  listen(interest: LiveInterest): void {
    if (this.#interest && interest.at <= this.#interest.at) return;
    const widened = this.#interest !== null && !this.#interest.all && interest.all;
    this.#interest = { ...interest, until: this.#now() + interest.forMs, ids: new Set(interest.runs) };
    if (!widened || this.#cursor === null) return;
    // Of what was kept back, a list of the query side may lack what was not sent there yet.
    this.#cursor = earlier(this.#cursor, this.#source.projected());
    this.#widened += 1;
    this.#schedule();
  }

  /**
   * How far it may be written down that rows were sent to the query side: where somebody watches, no further than they
   * were sent to the LiveObject too, so that an object that dies between the two sends them again.
   */
  limit(projected: ProjectionCursor): ProjectionCursor {
    this.#cursor ??= this.#source.projected();
    return this.#isSilent() ? projected : earlier(this.#cursor, projected);
  }

  #isSilent(): boolean {
    const interest = this.#interest;
    return interest !== null && !interest.all && interest.ids.size === 0 && interest.until > this.#now();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const gather = Math.min(MAX_GATHER_MS, GATHER_MS + this.#lastRows * GATHER_MS_A_ROW);
    setTimeout(() => void this.#run(), this.#failingSince === null ? gather : RETRY_MS);
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
    // What changed meanwhile, or failed.
    this.wake();
  }

  async #flush(): Promise<void> {
    this.#cursor ??= this.#source.projected();
    const known = this.#interest;
    // Nobody may listen: no rows have to be sent to learn that.
    if (!known || (!known.all && known.until <= this.#now())) this.listen(await this.#send([]));
    for (;;) {
      const { all, ids } = this.#interest as Known;
      const now = this.#source.now();
      if (!all && ids.size === 0) {
        this.#cursor = now;
        return;
      }
      const widened = this.#widened;
      const { rows, cursor } = this.#source.next(this.#cursor, BATCH);
      const wanted = all ? rows : rows.filter(({ id }) => ids.has(id));
      this.#lastRows = wanted.length;
      if (wanted.length > 0) this.listen(await this.#send(wanted));
      // Somebody wants more than was sent: it is read again from where that begins.
      if (this.#widened !== widened) continue;
      this.#cursor = rows.length < BATCH ? now : cursor;
      if (rows.length < BATCH) return;
    }
  }

  #failed(error: unknown): void {
    const now = this.#now();
    if (this.#failingSince === null) {
      this.#failingSince = now;
      console.error("Watchers could not be notified of changed runs; it is tried again", error);
    }
    if (now - this.#failingSince < GIVE_UP_MS) return;
    this.#failingSince = null;
    this.#cursor = this.#source.now();
    const at = this.#interest?.at ?? 0;
    this.#interest = { at, all: false, runs: [], forMs: PAUSE_MS, until: now + PAUSE_MS, ids: new Set() };
  }
}

const isBefore = (a: ProjectionCursor, b: ProjectionCursor): boolean =>
  a.version < b.version || (a.version === b.version && a.seq < b.seq);

const earlier = (a: ProjectionCursor, b: ProjectionCursor): ProjectionCursor => (isBefore(a, b) ? a : b);
