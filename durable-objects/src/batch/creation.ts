import type { Sql } from "../lib/sql.ts";
import type { QueueDeclaration, TriggerItem, TriggerResult } from "../queue/rpc.ts";
import type { QueuedRuns } from "../routing/enqueue.ts";
import { type BatchRow, completeIfOver, environmentOf } from "./core.ts";
import { ITEM } from "./schema.ts";

/** The maximum number of runs, and of characters of their items, in memory and in one call. */
const MAX_ITEMS = 500;
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** Runs to create in one queue, each with the index of its item. */
export interface CreationGroup extends QueuedRuns {
  indexes: number[];
}

/** Returns the next runs to create after item `after`, by queue. */
export function nextToCreate(
  sql: Sql,
  batch: BatchRow,
  after: number,
): { last: number; groups: CreationGroup[] } | null {
  const last = endOfChunk(sql, after);
  if (last === null) return null;
  const environment = environmentOf(batch);
  const rows = sql.exec<{
    idx: number;
    queue_key: string;
    item: string;
    queue: string;
    partition: number;
    settings: string;
  }>(
    `SELECT idx, queue_key, item, queue, partition, settings FROM waiting JOIN queues USING (queue_key)
     WHERE idx > ? AND idx <= ? ORDER BY idx`,
    after,
    last,
  );
  const groups = [...Map.groupBy(rows, (row) => row.queue_key)].map(([queueKey, own]): CreationGroup => {
    const { queue, partition, settings } = own[0] as (typeof own)[number];
    return {
      target: { environment, queue, partition, queueKey },
      declaration: JSON.parse(settings) as QueueDeclaration,
      items: own.map(({ item }) => JSON.parse(item) as TriggerItem),
      indexes: own.map(({ idx }) => idx),
    };
  });
  return { last, groups };
}

function endOfChunk(sql: Sql, after: number): number | null {
  let characters = 0;
  let last: number | null = null;
  for (const { idx, bytes } of sql.exec<{ idx: number; bytes: number }>(
    "SELECT idx, bytes FROM waiting WHERE idx > ? ORDER BY idx LIMIT ? + 0",
    after,
    MAX_ITEMS,
  )) {
    characters += bytes;
    if (last !== null && characters > MAX_CHARACTERS) break;
    last = idx;
  }
  return last;
}

/** Records a queue's answer: it created these runs, found earlier ones, or was full. */
export function markCreated(
  sql: Sql,
  batch: BatchRow,
  group: CreationGroup,
  results: TriggerResult[],
  now: number,
): void {
  const ancestors = new Set(JSON.parse(batch.ancestors) as string[]);
  let refused = 0;
  let decided = 0;
  for (const [n, index] of group.indexes.entries()) {
    const result = results[n] as TriggerResult;
    const error = refusalOf(group, result, ancestors);
    // A run whose end was recorded before this answer stays ended.
    const changed = sql.exec(
      "UPDATE items SET state = ?, run_id = ?, cached = ?, error = ?, error_code = ? WHERE idx = ? AND state = ? RETURNING idx",
      error ? ITEM.refused : ITEM.created,
      error ? null : result.runId,
      result.cached ? 1 : 0,
      error?.message ?? null,
      error?.code ?? null,
      index,
      ITEM.waiting,
    );
    if (changed.length === 0) continue;
    sql.exec("DELETE FROM waiting WHERE idx = ?", index);
    decided += 1;
    if (error) refused += 1;
  }
  sql.exec(
    "UPDATE batch SET waiting_count = waiting_count - ?, refused_count = refused_count + ?, updated_at = ?",
    decided,
    refused,
    now,
  );
  completeIfOver(sql, now);
}

function refusalOf(
  group: CreationGroup,
  result: TriggerResult,
  ancestors: Set<string>,
): { code: string; message: string } | null {
  if (result.error === "queue_full") {
    const message = `Queue ${group.target.queue} is full: it holds as many runs as its limit allows.`;
    return { code: "queue_full", message };
  }
  if (!ancestors.has(result.runId)) return null;
  const message = `The idempotency key belongs to run ${result.runId}, which waits for this batch: neither could ever end.`;
  return { code: "waits_on_itself", message };
}
