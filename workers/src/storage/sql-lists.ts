import { type Column, type SQL, sql } from "drizzle-orm";
import type { SqlConnection } from "./sql-connection.ts";

/** Whether the column holds one of the values, however many: they take one parameter, because D1 takes a hundred. */
export const isOneOf = ({ provider }: SqlConnection, column: Column | SQL, values: readonly string[]): SQL =>
  provider === "pg"
    ? sql`${column} IN (SELECT jsonb_array_elements_text(${JSON.stringify(values)}::jsonb))`
    : sql`${column} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`;

/** Whether a column holds the text somewhere, in any case of its letters. */
export const containsText = (column: Column, text: string): SQL =>
  sql`lower(${column}) LIKE ${`%${text.toLowerCase().replace(/[\\%_]/g, "\\$&")}%`} ESCAPE '\\'`;
