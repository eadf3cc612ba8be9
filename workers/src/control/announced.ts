import { log } from "@acme/durable-objects/lib/log";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";
import { auditRow, type Deed } from "./audit.ts";

/**
 * Executes an action of an object, which cannot be in a transaction with this database. The audit log records
 * the request before the action, and its outcome afterwards. If the server dies in between, the log shows the
 * request with an unknown outcome: no action ever happens without an entry.
 * @param results small facts about the result that the log keeps, such as the id of what was created
 */
export async function announced<T>(
  c: Context<App>,
  deed: Deed,
  work: () => Promise<T>,
  results: (result: T) => Record<string, unknown> = () => ({}),
): Promise<T> {
  const connection = openSql(c.env);
  const row = auditRow(c, deed);
  await connection.db.insert(connection.tables.auditLog).values({ ...row, announced: true });
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // A refusal changed nothing. After any other error, an object may have done it all the same.
    if (error instanceof Failure) await conclude(connection, row.id, "failed", { code: error.code });
    throw error;
  }
  await conclude(connection, row.id, "succeeded", results(result));
  return result;
}

/** The action is done by now: a failure to record that must not make it look as if it had failed. */
async function conclude(
  { db, tables }: SqlConnection,
  auditId: string,
  outcome: "succeeded" | "failed",
  details: Record<string, unknown>,
): Promise<void> {
  try {
    await db.insert(tables.auditOutcomes).values({ auditId, at: Date.now(), outcome, details });
  } catch (error) {
    log.error("An outcome could not be written to the audit log", { audit: auditId, error });
  }
}
