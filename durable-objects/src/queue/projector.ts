import { log } from "../lib/log.ts";
import type { ProjectionCursor } from "./projection.ts";
import type { RunProjection, RunRow } from "./rpc.ts";

interface Pace {
  /** How long changed rows gather before they are sent: many changes of a run then cost one row. */
  gatherMs: number;
  /** Rows per call. */
  batch: number;
  /** A queue that lags behind sends larger batches, which cost less per row. */
  largeBatch: number;
}

/** On one machine the query side shares its thread with every queue, so a call must be short for triggers not to wait. */
const QUERY_SIDE: Pace = { gatherMs: 250, batch: 50, largeBatch: 200 };
/** For a column store each call is a separate file with a fixed cost, whatever its size. */
export const COLUMN_STORE: Pace = { gatherMs: 1_000, batch: 200, largeBatch: 1_000 };

const LAGS_AFTER = 500;
/** The cursor is stored after this many rows, and at the end: a write per call would double the cost. */
const SAVE_EVERY = 1_000;

export interface Source {
  /** The rows after `from`; null: after those that were sent before this flush. */
  next(from: ProjectionCursor | null, limit: number): { rows: RunRow[]; cursor: ProjectionCursor };
  sent(cursor: ProjectionCursor): void;
}

/** Sends the queue's changed rows to the query side, or to another place that keeps them, in batches. */
export class Projector {
  readonly #source: Source;
  readonly #projection: RunProjection;
  readonly #pace: Pace;
  #scheduled = false;
  /** True: something changed since the last flush began. */
  #again = false;

  constructor(source: Source, projection: RunProjection, pace: Pace = QUERY_SIDE) {
    this.#source = source;
    this.#projection = projection;
    this.#pace = pace;
  }

  /** Records that something changed. */
  schedule(): void {
    if (this.#scheduled) {
      this.#again = true;
      return;
    }
    this.#scheduled = true;
    setTimeout(() => void this.#run(), this.#pace.gatherMs);
  }

  async #run(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      // The rows stay where they are; the object's alarm tries again.
      log.error("Changed runs could not be sent; they will be sent again", { error });
    } finally {
      this.#scheduled = false;
    }
    if (this.#again) this.schedule();
  }

  /** Sends everything that has changed until now. Throws when the query side can't be reached. */
  async flush(): Promise<void> {
    this.#again = false;
    let cursor: ProjectionCursor | null = null;
    let unsaved = 0;
    let sent = 0;
    try {
      for (;;) {
        const limit = sent < LAGS_AFTER ? this.#pace.batch : this.#pace.largeBatch;
        const { rows, cursor: next } = this.#source.next(cursor, limit);
        if (rows.length === 0) return;
        await this.#projection.upsertRuns(rows);
        cursor = next;
        sent += rows.length;
        unsaved += rows.length;
        // Rows that changed meanwhile wait for the next flush. Otherwise a steady stream would be sent row by row.
        if (rows.length < limit) return;
        if (unsaved >= SAVE_EVERY) {
          this.#source.sent(cursor);
          unsaved = 0;
        }
        // Calls within one process complete before its event loop polls the network again: without a pause, requests
        // would wait for all batches.
        await scheduler.wait(1);
      }
    } finally {
      if (cursor && unsaved > 0) this.#source.sent(cursor);
    }
  }
}
