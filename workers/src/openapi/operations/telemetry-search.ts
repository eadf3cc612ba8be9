import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const TELEMETRY_SEARCH_OPERATIONS: Operations = {
  "/api/v1/logs": {
    get: {
      id: "searchLogs",
      summary: "Search the log lines of all runs, newest first. Needs ClickHouse",
      query: api.SearchLogsQuery,
      response: api.SearchLogsResponse,
    },
  },
  "/api/v1/logs/histogram": {
    get: {
      id: "countLogs",
      summary: "How many log lines a search finds over time, by level. Needs ClickHouse",
      query: api.CountLogsQuery,
      response: api.CountLogsResponse,
    },
  },
  "/api/v1/query": {
    post: {
      id: "executeQuery",
      summary:
        "Run a read-only SQL query over the runs, logs, spans and metrics of the environment. Needs ClickHouse",
      body: api.QueryBody,
      response: api.QueryResponse,
    },
  },
  "/api/v1/query/schema": {
    get: {
      id: "getQuerySchema",
      summary: "The tables and columns that queries can read",
      response: api.QuerySchemaResponse,
    },
  },
};
