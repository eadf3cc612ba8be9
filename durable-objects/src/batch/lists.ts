import type { BatchItemError } from "@acme/sdk/contract/api";
import type { Sql } from "../lib/sql.ts";
import type { BatchResult, CreatedRun } from "./rpc.ts";
import { ITEM } from "./schema.ts";

export const listRuns = (sql: Sql): CreatedRun[] =>
  sql
    .exec<{ idx: number; task: string; run_id: string; cached: number }>(
      "SELECT idx, task, run_id, cached FROM items WHERE state IN (?, ?) ORDER BY idx",
      ITEM.created,
      ITEM.over,
    )
    .map(({ idx, task, run_id, cached }) => ({ index: idx, task, runId: run_id, cached: cached === 1 }));

export const listErrors = (sql: Sql): BatchItemError[] =>
  sql
    .exec<{ idx: number; task: string; error: string; error_code: string }>(
      "SELECT idx, task, error, error_code FROM items WHERE state = ? ORDER BY idx",
      ITEM.refused,
    )
    .map(({ idx, task, error, error_code }) => ({
      index: idx,
      taskIdentifier: task,
      error,
      errorCode: error_code,
    }));

/** Items that have ended, in order. A result has up to 128 KB. */
export const listResults = (sql: Sql, after: number, limit: number): BatchResult[] =>
  sql
    .exec<{
      idx: number;
      task: string;
      state: number;
      run_id: string | null;
      error: string | null;
      error_code: string | null;
      result: string | null;
    }>(
      `SELECT items.idx, task, state, run_id, error, error_code, result FROM items LEFT JOIN results ON results.idx = items.idx
       WHERE items.idx > ? AND state IN (?, ?) ORDER BY items.idx LIMIT ? + 0`,
      after,
      ITEM.refused,
      ITEM.over,
      limit,
    )
    .map((row) => ({
      index: row.idx,
      task: row.task,
      runId: row.run_id,
      result:
        row.result === null
          ? {
              ok: false,
              error: {
                type: "INTERNAL_ERROR",
                code: (row.error_code ?? "refused").toUpperCase(),
                message: row.error ?? "",
              },
            }
          : (JSON.parse(row.result) as BatchResult["result"]),
    }));
