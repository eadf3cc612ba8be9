import type { QueueContext, RunTableRow } from "./context.ts";
import type { RunRow } from "./rpc.ts";
import { toRunRow } from "./run-views.ts";

/** How far the rows were sent to the query side: by version, then by seq among the rows of one commit. */
export interface ProjectionCursor {
  version: number;
  seq: number;
}

const START: ProjectionCursor = { version: 0, seq: 0 };

/**
 * The receivers of the rows. Each has its own cursor, so one that can't be reached does not delay the other.
 */
export type ProjectionTarget = "query side" | "column store";
/** Where the cursor is stored. */
const CURSORS: Record<ProjectionTarget, string> = {
  "query side": "projected",
  "column store": "projectedToColumns",
};

export const projectionCursor = (
  q: QueueContext,
  target: ProjectionTarget = "query side",
): ProjectionCursor => q.meta.get<ProjectionCursor>(CURSORS[target]) ?? START;

/**
 * Returns the next rows to send, in the order in which they changed. A row that changes meanwhile comes again, as newer.
 * @param after how far rows were sent; null: as it is stored for the target
 */
export function pendingProjection(
  q: QueueContext,
  after: ProjectionCursor | null,
  limit: number,
  target: ProjectionTarget = "query side",
): { rows: RunRow[]; cursor: ProjectionCursor } {
  const from = after ?? projectionCursor(q, target);
  const rows = q.sql.exec<RunTableRow>(
    "SELECT * FROM runs WHERE version >= ?1 AND (version, seq) > (?1, ?2) ORDER BY version, seq LIMIT ?3 + 0",
    from.version,
    from.seq,
    limit,
  );
  const last = rows.at(-1);
  return {
    rows: rows.map((row) => toRunRow(q, row)),
    cursor: last ? { version: last.version, seq: last.seq } : from,
  };
}

/** Stores that the rows up to `cursor` have arrived. */
export function projectionSent(
  q: QueueContext,
  cursor: ProjectionCursor,
  target: ProjectionTarget = "query side",
): void {
  q.meta.set(CURSORS[target], cursor);
}
