import type { RunProjection, RunRow } from "../rpc.ts";
import type { ProjectionCursor } from "./projection.ts";

/** How long changed rows gather before they are sent: many changes of a run then cost one row. */
const GATHER_MS = 250;
/** Rows a call: few enough that a flush never holds up a busy object for long. */
const BATCH = 100;

interface Source {
  next(limit: number): { rows: RunRow[]; cursor: ProjectionCursor };
  sent(cursor: ProjectionCursor): void;
}

/** Sends the queue's changed rows to the query side, in batches. */
export class Projector {
  readonly #source: Source;
  readonly #projection: RunProjection;
  #scheduled = false;
  /** Something changed since the last flush began. */
  #again = false;

  constructor(source: Source, projection: RunProjection) {
    this.#source = source;
    this.#projection = projection;
  }

  /** Something changed. */
  schedule(): void {
    if (this.#scheduled) {
      this.#again = true;
      return;
    }
    this.#scheduled = true;
    setTimeout(() => void this.#run(), GATHER_MS);
  }

  async #run(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      // The rows stay where they are; the object's alarm tries again.
      console.error("The query side could not be reached; changed runs will be sent again", error);
    } finally {
      this.#scheduled = false;
    }
    if (this.#again) this.schedule();
  }

  /** Sends all that has changed until now. Throws when the query side can't be reached. */
  async flush(): Promise<void> {
    this.#again = false;
    for (;;) {
      const { rows, cursor } = this.#source.next(BATCH);
      if (rows.length === 0) return;
      await this.#projection.upsertRuns(rows);
      this.#source.sent(cursor);
      // What changed meanwhile gathers for the next flush: a steady stream would be sent row by row otherwise.
      if (rows.length < BATCH) return;
      // Calls inside one process are answered before its event loop looks at the network again: requests that came
      // in meanwhile would wait for all batches.
      await scheduler.wait(1);
    }
  }
}
