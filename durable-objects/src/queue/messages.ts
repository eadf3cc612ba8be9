import type { QueueContext } from "./context.ts";
import type { RunFinished, Waiter } from "./rpc.ts";

/** A message to another object, stored in the transaction that causes it. Delivered at least once; receivers are idempotent. */
export type Message =
  | { type: "finished"; waiter: Waiter; finished: RunFinished }
  | { type: "subscribe"; tokenId: string; waiter: { runId: string; attempt: number; number: number } }
  | { type: "cancel"; runId: string; reason: string }
  | { type: "cancel-batch"; batchId: string; reason: string };

export interface QueuedMessage {
  id: number;
  message: Message;
}

export function addMessage(q: QueueContext, message: Message): void {
  q.sql.exec("INSERT INTO messages (body) VALUES (?)", JSON.stringify(message));
  q.effects.messages = true;
}

/** Messages after `id`, oldest first. */
export const messagesAfter = (q: QueueContext, id: number, limit: number): QueuedMessage[] =>
  q.sql
    .exec<{ id: number; body: string }>(
      "SELECT id, body FROM messages WHERE id > ? ORDER BY id LIMIT ? + 0",
      id,
      limit,
    )
    .map((row) => ({ id: row.id, message: JSON.parse(row.body) as Message }));

export function forgetMessages(q: QueueContext, ids: number[]): void {
  if (ids.length === 0) return;
  q.sql.exec("DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))", JSON.stringify(ids));
}
