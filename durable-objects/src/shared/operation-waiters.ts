import { type OperationResult, parseRunId } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";
import { type ObjectBindings, stubs } from "../routing/stubs.ts";

/** An operation of a run that waits for a result. */
export type OperationWaiter = { runId: string; attempt: number; number: number };

export const WAITERS_TABLE = `CREATE TABLE waiters (
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (run_id, attempt, number)
  ) WITHOUT ROWID`;

const AT_ONCE = 100;

export function addWaiter(sql: Sql, { runId, attempt, number }: OperationWaiter): void {
  sql.exec(
    "INSERT INTO waiters (run_id, attempt, number) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    runId,
    attempt,
    number,
  );
}

export const hasWaiters = (sql: Sql): boolean =>
  sql.exec("SELECT 1 AS found FROM waiters LIMIT 1").length > 0;

function waitersAfter(sql: Sql, last: OperationWaiter): OperationWaiter[] {
  return sql
    .exec<{ run_id: string; attempt: number; number: number }>(
      `SELECT run_id, attempt, number FROM waiters WHERE (run_id, attempt, number) > (?, ?, ?)
       ORDER BY run_id, attempt, number LIMIT ? + 0`,
      last.runId,
      last.attempt,
      last.number,
      AT_ONCE,
    )
    .map(({ run_id, ...rest }) => ({ runId: run_id, ...rest }));
}

/**
 * Notifies all waiters, and deletes the waiters that acknowledged the result or no longer need it. Throws
 * when one could not be reached.
 */
export async function notifyWaiters(
  sql: Sql,
  env: ObjectBindings,
  environmentKey: string,
  result: OperationResult,
): Promise<void> {
  let failed = 0;
  for (let last: OperationWaiter = { runId: "", attempt: 0, number: 0 }; ; ) {
    const waiters = waitersAfter(sql, last);
    const end = waiters.at(-1);
    if (!end) break;
    last = end;
    const answers = await Promise.allSettled(
      waiters.map((waiter) => notifyWaiter(env, environmentKey, waiter, result)),
    );
    sql.transaction(() => {
      for (const [index, { runId, attempt, number }] of waiters.entries()) {
        if (answers[index]?.status !== "fulfilled") failed += 1;
        else
          sql.exec(
            "DELETE FROM waiters WHERE run_id = ? AND attempt = ? AND number = ?",
            runId,
            attempt,
            number,
          );
      }
    });
  }
  if (failed > 0) throw new Error(`${failed} waiters could not be notified`);
}

async function notifyWaiter(
  env: ObjectBindings,
  environmentKey: string,
  waiter: OperationWaiter,
  result: OperationResult,
): Promise<void> {
  const queueKey = parseRunId(waiter.runId)?.queueKey;
  if (queueKey === undefined) return;
  await stubs(env)
    .queue(queueKey)
    .completeOperation(environmentKey, { ...waiter, result });
}
