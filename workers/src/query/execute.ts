import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { QueryResponse } from "@acme/sdk/contract/api";
import { SettingsMap } from "@clickhouse/client-web";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openClickHouse } from "../telemetry/clickhouse/client.ts";
import { unavailable } from "../telemetry/clickhouse/errors.ts";
import { compileQuery } from "./compile.ts";
import { databaseProblem } from "./database-problem.ts";
import { QueryProblem } from "./problem.ts";
import { queryTables } from "./tables.ts";

/** The limits of one query. The number of result rows is what a person or a chart can use. */
const LIMITS = {
  max_execution_time: 10,
  timeout_overflow_mode: "throw",
  max_threads: 2,
  max_memory_usage: "1000000000",
  max_rows_to_read: "1000000000",
  read_overflow_mode: "throw",
  max_result_rows: "10000",
  max_result_bytes: "10000000",
  result_overflow_mode: "throw",
} as const;

/**
 * A second line of defense behind the compiler: nothing can be written, no setting can be changed, and the
 * tables contain only the environment's rows.
 */
const fence = (database: string, environment: string, tables: string[]) => ({
  additional_table_filters: SettingsMap.from(
    Object.fromEntries(
      tables.map((table) => [`${database}.${table}`, `environment_key = \\'${environment}\\'`]),
    ),
  ),
  allow_ddl: 0 as const,
  allow_introspection_functions: 0 as const,
  readonly: "1",
});

interface Answer {
  meta: { name: string; type: string }[];
  data: Record<string, unknown>[];
  statistics?: { elapsed: number; rows_read: number; bytes_read: number };
}

/** Runs a user's query over the rows of one environment. */
export async function executeQuery(
  env: Bindings,
  environment: EnvironmentRef,
  request: { query: string; format: "json" | "csv"; range: { from: number; to: number } | null },
): Promise<QueryResponse> {
  const { client, database } = openClickHouse(env);
  const tables = queryTables();
  const statement = compiled(request.query, { database, tables, range: request.range });
  try {
    const answer = await client.query({
      query: statement,
      format: request.format === "csv" ? "CSVWithNames" : "JSON",
      query_params: {
        scope: environment.key,
        environment_slug: environment.slug,
        environment_type: environment.type,
        project_ref: environment.project.ref,
        ...(request.range ?? {}),
      },
      clickhouse_settings: {
        ...LIMITS,
        date_time_output_format: "iso",
        output_format_json_quote_64bit_integers: 0,
        output_format_json_quote_decimals: 0,
        cancel_http_readonly_queries_on_client_close: 1,
        ...fence(
          database,
          environment.key,
          tables.map(({ stored }) => stored),
        ),
      },
    });
    if (request.format === "csv") return { format: "csv", results: await answer.text() };
    const { meta, data, statistics } = JSON.parse(await answer.text()) as Answer;
    return {
      format: "json",
      results: data,
      columns: meta,
      statistics: {
        elapsedMs: Math.round((statistics?.elapsed ?? 0) * 1000),
        rowsRead: statistics?.rows_read ?? 0,
        bytesRead: statistics?.bytes_read ?? 0,
      },
    };
  } catch (error) {
    throw databaseProblem(error, request.query) ?? unavailable(error);
  }
}

function compiled(query: string, scope: Parameters<typeof compileQuery>[1]): string {
  try {
    return compileQuery(query, scope);
  } catch (error) {
    if (error instanceof QueryProblem) throw new Failure(400, "invalid_query", `${error.message}.`);
    throw error;
  }
}
