import { request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";

export interface QueryOptions {
  /** How far back: `"1h"`, `"7d"`. Not together with `from` and `to`. */
  period?: string;
  /** A date, or milliseconds since the epoch. */
  from?: Date | number;
  to?: Date | number;
}

const isoTime = (time: Date | number | undefined): string | undefined =>
  time === undefined ? undefined : new Date(time).toISOString();

/**
 * Runs a read-only SQL query over the runs, logs, spans and metrics of the environment.
 * @throws ApiError if the server has no ClickHouse or refuses the query
 */
async function execute<TRow extends Record<string, unknown> = Record<string, unknown>>(
  query: string,
  options: QueryOptions = {},
  requestOptions?: ApiRequestOptions,
): Promise<{ format: "json"; results: TRow[] }> {
  const { period, from, to } = options;
  const body = { query, period, from: isoTime(from), to: isoTime(to), format: "json" };
  const call = { method: "POST", path: "/api/v1/query", body } as const;
  const { data } = await request<{ results: TRow[] }>(call, requestOptions);
  return { format: "json", results: data.results };
}

export const query = { execute };
