import { momentOf, parseDuration, type RangeQuery } from "@acme/sdk/contract/api";

/** Values that the query's schema has validated: each text is a duration or a time. */
type Range = { [Field in keyof typeof RangeQuery]?: string };

/** Returns the interval of a list's query, in milliseconds since the epoch. */
export function rangeOf(query: Range): { from?: number; to?: number } {
  const now = Date.now();
  const period = query["filter[createdAt][period]"];
  if (period !== undefined) return { from: now - (parseDuration(period) ?? 0) };
  const at = (text: string | undefined) =>
    text === undefined ? undefined : (momentOf(text, now) ?? undefined);
  return { from: at(query["filter[createdAt][from]"]), to: at(query["filter[createdAt][to]"]) };
}
