import { QueryBody, type QuerySchemaResponse } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { readBody } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { executeQuery } from "../query/execute.ts";
import { takeQuery } from "../query/query-limit.ts";
import { queryTables } from "../query/tables.ts";
import { hasClickHouse } from "../telemetry/clickhouse/client.ts";
import { needsClickHouse } from "../telemetry/needs-clickhouse.ts";
import { timeRange } from "../telemetry/time-range.ts";

const PATH = "/api/v1/query";

export const queryRoutes = new Hono<App>()
  .post(PATH, access("executeQuery"), async (c) => {
    if (!hasClickHouse(c.env)) throw needsClickHouse("A query");
    const { query, scope, format, period, from, to } = await readBody(c, QueryBody);
    if (scope !== "environment") {
      throw new Failure(
        403,
        "scope_not_allowed",
        `A query reads the environment of its key: leave out scope, and query each environment of the ${scope} with its own key.`,
      );
    }
    await takeQuery(c.env, c.var.environment.key);
    const range =
      period || from
        ? timeRange({ period: period ?? undefined, from: from ?? undefined, to: to ?? undefined }, 0)
        : null;
    return c.json(await executeQuery(c.env, c.var.environment, { query, format, range }));
  })
  .get(`${PATH}/schema`, access("getQuerySchema"), (c) => {
    const answer: z.output<typeof QuerySchemaResponse> = {
      tables: queryTables().map(({ name, description, timeColumn, columns }) => ({
        name,
        description,
        timeColumn,
        columns: columns.map(({ name, type, description, allowedValues, core }) => ({
          name,
          type,
          description,
          ...(allowedValues ? { allowedValues } : {}),
          ...(core ? { coreColumn: true } : {}),
        })),
      })),
    };
    return c.json(answer);
  });
