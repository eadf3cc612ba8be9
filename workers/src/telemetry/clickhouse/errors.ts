import { log } from "@acme/durable-objects/lib/log";
import { Failure } from "../../http/failure.ts";

/** For a question that ClickHouse did not answer. The log has why: statements and addresses are nothing for users. */
export function unavailable(error: unknown): Failure {
  log.error("ClickHouse did not answer", { error });
  return new Failure(
    503,
    "clickhouse_unavailable",
    "ClickHouse, which has the logs, traces and metrics, did not answer. Nothing is lost: try again in a moment.",
    { headers: { "retry-after": "5" } },
  );
}
