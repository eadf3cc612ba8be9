import type { QueueContext } from "./context.ts";
import { type ProjectionCursor, pendingProjection } from "./projection.ts";
import type { Reprojection, RunProjection, RunRow } from "./rpc.ts";

/** Rows per call, and the calls of one turn: the object's alarm begins the next one, so other work comes between. */
const BATCH = 200;
const BATCHES_PER_TURN = 50;
/** The cursor is stored after this many batches: what a crash sends again. */
const SAVE_EVERY = 5;

/** How far the rows that existed at the start have been sent again. */
interface Stored {
  /** Names the rebuild. Requesting the same one again continues it. */
  id: string;
  /** Rows of later versions are sent anyway, because they changed after the start. */
  until: number;
  cursor: ProjectionCursor;
  rows: number;
  done: boolean;
}

const storedOf = (q: QueueContext): Stored | null => q.meta.get<Stored>("reprojection");

const view = ({ id, rows, done }: Stored): Reprojection => ({ id, rows, done });

/** Begins to send all rows again, unless this rebuild has begun already. A later rebuild replaces an earlier one. */
export function startReprojection(q: QueueContext, id: string): Reprojection {
  const known = storedOf(q);
  if (known?.id === id) return view(known);
  const started = { id, until: q.version, cursor: { version: 0, seq: 0 }, rows: 0, done: false };
  q.meta.set("reprojection", started);
  return view(started);
}

export const isReprojecting = (q: QueueContext): boolean => storedOf(q)?.done === false;

interface Source {
  context(): QueueContext;
  commit(work: (q: QueueContext) => void): void;
}

/**
 * Sends a queue's rows to the query side once more, in parallel with rows that change meanwhile. A row
 * replaces only an older one.
 */
export class Reprojector {
  readonly #source: Source;
  readonly #projection: RunProjection;
  #turn: Promise<boolean> | null = null;

  constructor(source: Source, projection: RunProjection) {
    this.#source = source;
    this.#projection = projection;
  }

  /** Continues for one turn. Returns true if nothing is left. Throws when the query side can't be reached. */
  run(): Promise<boolean> {
    this.#turn ??= this.#send().finally(() => {
      this.#turn = null;
    });
    return this.#turn;
  }

  async #send(): Promise<boolean> {
    for (let batch = 0; batch < BATCHES_PER_TURN; batch += SAVE_EVERY) {
      const before = storedOf(this.#source.context());
      if (!before || before.done) return true;
      const after = await this.#batches(before);
      this.#source.commit((q) => {
        // Another rebuild may have begun meanwhile: it starts from the first row.
        if (storedOf(q)?.id === before.id) q.meta.set("reprojection", after);
      });
    }
    return !isReprojecting(this.#source.context());
  }

  async #batches(before: Stored): Promise<Stored> {
    let { cursor, rows } = before;
    for (let batch = 0; batch < SAVE_EVERY; batch++) {
      const next: { rows: RunRow[]; cursor: ProjectionCursor } = pendingProjection(
        this.#source.context(),
        cursor,
        BATCH,
      );
      if (next.rows.length > 0) await this.#projection.upsertRuns(next.rows);
      cursor = next.cursor;
      rows += next.rows.length;
      if (next.rows.length < BATCH || cursor.version > before.until)
        return { ...before, cursor, rows, done: true };
      // Waiting requests come first: see Projector.
      await scheduler.wait(1);
    }
    return { ...before, cursor, rows };
  }
}
