import { Failure } from "../http/failure.ts";

/** The failure of a query that only a store of many runs can answer. */
export const needsClickHouse = (what: string): Failure =>
  new Failure(
    501,
    "needs_clickhouse",
    `${what} needs ClickHouse, which this server is not set up with: start it with CLICKHOUSE_URL (npm start -- --clickhouse URL). See docs/telemetry.md.`,
  );
