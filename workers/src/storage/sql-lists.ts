import { type Column, type SQL, sql } from "drizzle-orm";
import type { SqlConnection } from "./sql-connection.ts";

/**
 * The condition that the column has one of the values. They take one parameter however many there are,
 * because D1 allows a hundred parameters.
 */
export const isOneOf = ({ provider }: SqlConnection, column: Column | SQL, values: readonly string[]): SQL =>
  provider === "pg"
    ? sql`${column} IN (SELECT jsonb_array_elements_text(${JSON.stringify(values)}::jsonb))`
    : sql`${column} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`;

/** The condition that a column contains the text, ignoring case. */
export const containsText = (column: Column, text: string): SQL =>
  sql`lower(${column}) LIKE ${`%${text.toLowerCase().replace(/[\\%_]/g, "\\$&")}%`} ESCAPE '\\'`;
