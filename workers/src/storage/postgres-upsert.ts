import type { RunRow } from "@acme/durable-objects/rpc";
import { getTableColumns, type SQL, sql } from "drizzle-orm";
import { runs } from "./postgres-schema.ts";
import { newestOfEach, storableJson, tagsOf } from "./projected-rows.ts";

const FIELDS = Object.entries(getTableColumns(runs));
const NAMES = FIELDS.map(([, column]) => column.name);
const FIXED = new Set(["id", "environment_key", "task", "queue", "created_at"]);

/** A whole number's column is read as double precision and cast, which rounds: a fraction must not stop the projection. */
const readAs = (type: string): string =>
  type === "bigint" || type === "integer" ? "double precision" : type;

const raw = (parts: string[]): SQL => sql.raw(parts.join(", "));
const COLUMNS = raw(NAMES);
const RECORD = raw(FIELDS.map(([field, column]) => `"${field}" ${readAs(column.getSQLType())}`));
const VALUES = raw(FIELDS.map(([field, column]) => `"${field}"::${column.getSQLType()}`));
const CHANGES = raw(NAMES.filter((name) => !FIXED.has(name)).map((name) => `${name} = excluded.${name}`));

/** The one statement that brings these rows to the database: one round trip, all or nothing. */
export function postgresUpsert(given: RunRow[]): SQL {
  const rows = newestOfEach(given);
  return sql`WITH changed_runs AS (
      INSERT INTO runs (${COLUMNS}) SELECT ${VALUES} FROM jsonb_to_recordset(${storableJson(rows)}::jsonb) AS given(${RECORD})
      ON CONFLICT (id) DO UPDATE SET ${CHANGES} WHERE excluded.version > runs.version
    ), changed_tags AS (
      INSERT INTO run_tags (environment_key, tag, created_at, run_id)
      SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, value ->> 3
      FROM jsonb_array_elements(${storableJson(tagsOf(rows))}::jsonb)
      ON CONFLICT DO NOTHING
    ) SELECT 1`;
}
