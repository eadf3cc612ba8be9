import { RunStatus } from "@acme/sdk/contract";
import { type SQL, sql } from "drizzle-orm";

/**
 * The condition of the partial index runs_not_succeeded. SQLite uses such an index only for a query with
 * literally the same condition, so both take it from here.
 */
export const NOT_SUCCEEDED: SQL = sql.raw(`status <> '${RunStatus.COMPLETED_SUCCESSFULLY}'`);
