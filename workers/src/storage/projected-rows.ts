import type { RunRow } from "@acme/durable-objects/rpc";

/** JSON that a database refuses or cuts short: the zero character, and half of a surrogate pair. */
const UNSTORABLE = /\\u0000|\\ud[89a-f]/;

/**
 * Most characters of JSON in one parameter: SQLite takes 2 MB on Cloudflare, and a character is up to 3 bytes there.
 */
const MOST_CHARACTERS = 600_000;

/**
 * The newest version of each run, in order of ids: a statement may not meet a row twice, and two that lock rows in the
 * same order can't wait for each other.
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

/** A row for each tag and each bulk action of each run: both find runs by the same table. */
export const tagsOf = (rows: RunRow[]): TagRow[] =>
  rows.flatMap((row) =>
    [...row.tags, ...row.bulkActions].map((tag): TagRow => [row.environmentKey, tag, row.createdAt, row.id]),
  );

/** JSON of the value, with what databases can't store replaced by U+FFFD. */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!UNSTORABLE.test(json)) return json;
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "string" ? part.replaceAll("\0", "\ufffd").toWellFormed() : part,
  );
}

/** Whether the JSON fits into one parameter. */
export const isShort = (json: string): boolean => json.length <= MOST_CHARACTERS;

/** JSON arrays of the items, each short enough for one parameter (an item that is longer by itself goes alone). */
export function jsonChunks<T>(items: T[]): string[] {
  if (items.length === 0) return [];
  const json = storableJson(items);
  if (isShort(json) || items.length === 1) return [json];
  const middle = items.length >> 1;
  return [...jsonChunks(items.slice(0, middle)), ...jsonChunks(items.slice(middle))];
}
