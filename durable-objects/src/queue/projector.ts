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

/** Sends the queue's changed rows to the query side, in batches, until there are none. */
export class Projector {
  readonly #source: Source;
  readonly #projection: RunProjection;
  #scheduled = false;

  constructor(source: Source, projection: RunProjection) {
    this.#source = source;
    this.#projection = projection;
  }

  /** Something changed. */
  schedule(): void {
    if (this.#scheduled) return;
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
  }

  /** Sends all that has changed. Throws when the query side can't be reached. */
  async flush(): Promise<void> {
    for (;;) {
      const { rows, cursor } = this.#source.next(BATCH);
      if (rows.length === 0) return;
      await this.#projection.upsertRuns(rows);
      this.#source.sent(cursor);
      // Calls inside one process are answered before its event loop looks at the network again: requests that came
      // in meanwhile would wait for all batches.
      await scheduler.wait(1);
    }
  }
}
