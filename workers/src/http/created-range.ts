import { parseDuration } from "@acme/sdk/contract/api";
import { Failure } from "./failure.ts";

interface RangeQuery {
  "filter[createdAt][from]"?: string;
  "filter[createdAt][to]"?: string;
  "filter[createdAt][period]"?: string;
}

/** The interval that a list's query asks for, in milliseconds since the epoch. Throws a 400 for what is none. */
export function rangeOf(query: RangeQuery): { from?: number; to?: number } {
  const period = query["filter[createdAt][period]"];
  if (period === undefined) {
    return { from: timeOf(query, "filter[createdAt][from]"), to: timeOf(query, "filter[createdAt][to]") };
  }
  const ms = parseDuration(period);
  if (ms === null)
    throw new Failure(
      400,
      "invalid_period",
      'filter[createdAt][period] is a duration such as "24h" or "7d".',
    );
  return { from: Date.now() - ms };
}

function timeOf(
  query: RangeQuery,
  field: "filter[createdAt][from]" | "filter[createdAt][to]",
): number | undefined {
  const text = query[field];
  if (text === undefined) return undefined;
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(time))
    throw new Failure(400, "invalid_time", `${field} is milliseconds since the epoch or an ISO 8601 date.`);
  return time;
}
