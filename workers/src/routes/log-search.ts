import {
  CountLogsQuery,
  type CountLogsResponse,
  SearchLogsQuery,
  type SearchLogsResponse,
} from "@acme/sdk/contract/api";
import { Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { invalid } from "../http/failure.ts";
import { hasClickHouse } from "../telemetry/clickhouse/client.ts";
import { needsClickHouse } from "../telemetry/needs-clickhouse.ts";
import { openTelemetryStore } from "../telemetry/store.ts";
import { timeRange } from "../telemetry/time-range.ts";
import { logLineView } from "../views/log-line-view.ts";

const PATH = "/api/v1/logs";
const LIMIT = 100;
const BARS = 60;
const DAY_MS = 86_400_000;

export const logSearchRoutes = new Hono<App>()
  .get(PATH, access("searchLogs"), async (c) => {
    if (!hasClickHouse(c.env)) throw needsClickHouse("Searching the logs of many runs");
    const query = SearchLogsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { limit = LIMIT, cursor = null } = query.data;
    const search = { ...searchOf(query.data), limit };
    const { logs, next } = await openTelemetryStore(c.env).searchLogs(c.var.environment.key, search, cursor);
    const answer: SearchLogsResponse = { logs: logs.map(logLineView), ...(next === null ? {} : { next }) };
    return c.json(answer);
  })
  .get(`${PATH}/histogram`, access("countLogs"), async (c) => {
    if (!hasClickHouse(c.env)) throw needsClickHouse("Counting the log lines of many runs");
    const query = CountLogsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const search = { ...searchOf(query.data), limit: 0 };
    const step = stepOf(search.to - search.from, query.data.bars ?? BARS);
    const counts = await openTelemetryStore(c.env).countLogs(c.var.environment.key, search, step);
    const bars = new Map<number, Record<string, number>>();
    let total = 0;
    for (const { time, level, count } of counts) {
      bars.set(time, { ...bars.get(time), [level]: count });
      total += count;
    }
    const answer: CountLogsResponse = {
      from: new Date(search.from).toISOString(),
      to: new Date(search.to).toISOString(),
      step,
      bars: [...bars].map(([time, levels]) => ({ time: new Date(time).toISOString(), counts: levels })),
      total,
    };
    return c.json(answer);
  });

type Query = Omit<z.output<typeof SearchLogsQuery>, "limit" | "cursor">;

function searchOf({ text, level, task, run, property, period, from, to }: Query) {
  return {
    ...timeRange({ period, from, to }, DAY_MS),
    ...(text?.trim() ? { text } : {}),
    ...(level ? { levels: level } : {}),
    ...(task ? { tasks: task } : {}),
    ...(run === undefined ? {} : { runId: run }),
    ...(property ? { attributes: property.map(pairOf) } : {}),
  };
}

/** Names have no `=`; values may. */
function pairOf(text: string): { name: string; value: string } {
  const end = text.indexOf("=");
  return { name: text.slice(0, end), value: text.slice(end + 1) };
}

/** Round bar widths, in milliseconds. */
const STEPS = [
  1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 604_800_000,
];

const stepOf = (duration: number, bars: number): number =>
  STEPS.find((step) => duration / step <= bars) ?? Math.ceil(duration / bars);
