import type { RunRow } from "@acme/durable-objects/rpc";

/** Matches JSON that a database refuses or truncates: the zero character, and half of a surrogate pair. */
const UNSTORABLE = /\\u0000|\\ud[89a-f]/;

/**
 * The maximum number of characters of JSON in one parameter: SQLite accepts 2 MB on Cloudflare, and a
 * character has up to 3 bytes there.
 */
const MOST_CHARACTERS = 600_000;

/**
 * Returns the newest version of each run, in order of ids: a statement must not contain a row twice, and two
 * statements that lock rows in the same order can't deadlock.
 */
export function newestOfEach(rows: RunRow[]): RunRow[] {
  const newest = new Map<string, RunRow>();
  for (const row of rows) {
    const other = newest.get(row.id);
    if (!other || row.version > other.version) newest.set(row.id, row);
  }
  return [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

type TagRow = [environmentKey: string, tag: string, createdAt: number, runId: string];

/** Returns a row for each tag and each bulk action of each run, because both find runs by the same table. */
export const tagsOf = (rows: RunRow[]): TagRow[] =>
  rows.flatMap((row) =>
    [...row.tags, ...row.bulkActions].map((tag): TagRow => [row.environmentKey, tag, row.createdAt, row.id]),
  );

/** Returns the JSON of a value, with characters that databases can't store replaced by U+FFFD. */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!UNSTORABLE.test(json)) return json;
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "string" ? part.replaceAll("\0", "\ufffd").toWellFormed() : part,
  );
}

/** Whether the JSON fits into one parameter. */
export const isShort = (json: string): boolean => json.length <= MOST_CHARACTERS;

/**
 * Returns JSON arrays of the items, each short enough for one parameter (a longer item is alone in its
 * array).
 */
export function jsonChunks<T>(items: T[]): string[] {
  if (items.length === 0) return [];
  const json = storableJson(items);
  if (isShort(json) || items.length === 1) return [json];
  const middle = items.length >> 1;
  return [...jsonChunks(items.slice(0, middle)), ...jsonChunks(items.slice(middle))];
}
