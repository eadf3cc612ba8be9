import {
  applyMetadataOperation,
  LIMITS,
  type MetadataOperation,
  RunStatus,
  utf8Bytes,
} from "@acme/sdk/contract";
import { addEvent, due, findRun, type QueueContext, type RunTableRow } from "./context.ts";
import type { RunError } from "./rpc.ts";
import { runNotFound } from "./run-not-found.ts";

/** Moves the start of a run that is still DELAYED. */
export function rescheduleRun(q: QueueContext, runId: string, delayUntil: number): RunError | null {
  const run = findRun(q, runId);
  if (!run) return runNotFound(runId);
  if (run.status !== RunStatus.DELAYED) {
    return {
      error: "wrong_state",
      message: `Run ${runId} is ${run.status}: only a run that is still DELAYED can be rescheduled.`,
    };
  }
  const dueAt = Math.max(delayUntil, q.now);
  moveStart(q, run, dueAt);
  addEvent(q, run.seq, "rescheduled", `The start was moved to ${new Date(dueAt).toISOString()}`);
  return null;
}

/** Moves the start of a DELAYED run, and its place in the queue with it. */
export function moveStart(q: QueueContext, run: RunTableRow, dueAt: number): void {
  const orderAt = run.order_at - (run.delay_until ?? run.created_at) + dueAt;
  touch(q, run, "due_at = ?, delay_until = ?, order_at = ?", dueAt, dueAt, orderAt);
  due(q, dueAt);
}

export function addTags(q: QueueContext, runId: string, added: string[]): { tags: string[] } | RunError {
  const run = findRun(q, runId);
  if (!run) return runNotFound(runId);
  const tags = [...new Set([...(JSON.parse(run.tags) as string[]), ...added])];
  if (tags.length > LIMITS.tagsPerRun) {
    return {
      error: "too_many_tags",
      message: `Run ${runId} would have ${tags.length} tags: at most ${LIMITS.tagsPerRun} are allowed. Nothing was added.`,
    };
  }
  touch(q, run, "tags = ?", JSON.stringify(tags));
  return { tags };
}

export function updateMetadata(
  q: QueueContext,
  runId: string,
  operations: MetadataOperation[],
): { metadata: Record<string, unknown> } | RunError {
  const run = findRun(q, runId);
  if (!run) return runNotFound(runId);
  const row = q.sql.exec<{ metadata: string }>("SELECT metadata FROM metadata WHERE seq = ?", run.seq)[0];
  const before = row ? (JSON.parse(row.metadata) as Record<string, unknown>) : {};
  const metadata = operations.reduce((at, operation) => applyMetadataOperation(at, operation) ?? at, before);
  const text = JSON.stringify(metadata);
  const bytes = utf8Bytes(text);
  if (bytes > LIMITS.metadataBytes) {
    return {
      error: "too_large",
      message: `The metadata of run ${runId} would have ${bytes} bytes: at most ${LIMITS.metadataBytes} are allowed. Nothing was changed.`,
    };
  }
  q.sql.exec("INSERT OR REPLACE INTO metadata (seq, metadata) VALUES (?, ?)", run.seq, text);
  touch(q, run, "tags = tags");
  return { metadata };
}

function touch(q: QueueContext, run: RunTableRow, set: string, ...values: (string | number)[]): void {
  q.sql.exec(
    `UPDATE runs SET ${set}, version = ?, updated_at = ? WHERE seq = ?`,
    ...values,
    q.version,
    q.now,
    run.seq,
  );
  q.effects.changed = true;
}
