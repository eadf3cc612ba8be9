import { log } from "@acme/durable-objects/lib/log";
import { Failure } from "../../http/failure.ts";

/**
 * The failure of a query that ClickHouse did not answer. The reason is only logged, because it contains
 * statements and addresses.
 */
export function unavailable(error: unknown): Failure {
  log.error("ClickHouse did not answer", { error });
  return new Failure(
    503,
    "clickhouse_unavailable",
    "ClickHouse, which has the logs, traces and metrics, did not answer. Nothing is lost: try again in a moment.",
    { headers: { "retry-after": "5" } },
  );
}
