import {
  METRICS_BACK_MS,
  type MetricsQuery,
  MINUTES_BACK_MS,
  MOST_METRIC_POINTS,
  momentOf,
  type UsageQuery,
} from "@acme/sdk/contract/api";
import type { z } from "zod";
import { Failure } from "../http/failure.ts";
import { HOUR_MS, MINUTE_MS } from "../storage/rollup-columns.ts";
import { stepOf } from "../storage/run-facts.ts";
import type { TimeSpan } from "./metric-queries.ts";

const DEFAULT_PERIOD_MS = 24 * HOUR_MS;
const DEFAULT_USAGE_MS = 30 * 24 * HOUR_MS;
const DEFAULT_POINTS = 60;
/** Lengths of points that divide hours and days, in minutes. */
const NICE_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880];

const refuse = (message: string): never => {
  throw new Failure(400, "invalid_request", `The request is invalid. ${message}`);
};

type Range = { period?: number; from?: string; to?: string };

function rangeOf({ period, from, to }: Range, fallback: number, now: number): { from: number; to: number } {
  if (period !== undefined) return { from: now - period, to: now };
  const end = Math.min(now, (to === undefined ? null : momentOf(to, now)) ?? now);
  const start = (from === undefined ? null : momentOf(from, now)) ?? end - fallback;
  if (start >= end) refuse("from must be before to, and before now");
  return { from: start, to: end };
}

/**
 * Returns the steps of the requested chart. Throws a 400 if there would be too many, or they need minutes
 * that are no longer kept.
 */
export function timeSpanOf(query: z.output<typeof MetricsQuery>, now: number): TimeSpan {
  const range = rangeOf(query, DEFAULT_PERIOD_MS, now);
  if (range.from < now - METRICS_BACK_MS - MINUTE_MS) refuse("from is at most 90 days ago");
  const hasMinutes = range.from >= now - MINUTES_BACK_MS - MINUTE_MS;
  const resolution = query.resolution ?? niceResolution(range.to - range.from, hasMinutes);
  const isHourly = resolution % HOUR_MS === 0;
  if (!hasMinutes && !isHourly)
    refuse("resolution is whole hours, such as 1h, where the time begins over six hours ago");
  const span: TimeSpan = {
    from: stepOf(range.from, resolution),
    to: stepOf(range.to - 1, resolution) + resolution,
    resolution,
    step: isHourly ? HOUR_MS : MINUTE_MS,
  };
  if ((span.to - span.from) / resolution > MOST_METRIC_POINTS + 1)
    refuse(`That is more than ${MOST_METRIC_POINTS} points: ask for a shorter time or a longer resolution`);
  return span;
}

function niceResolution(ms: number, hasMinutes: boolean): number {
  const wanted = ms / DEFAULT_POINTS / MINUTE_MS;
  const minutes = NICE_MINUTES.find((each) => each >= wanted * 0.99 && (hasMinutes || each >= 60));
  return (minutes ?? (NICE_MINUTES.at(-1) as number)) * MINUTE_MS;
}

export function usageRangeOf(query: z.output<typeof UsageQuery>, now: number): { from: number; to: number } {
  const { from, to } = rangeOf(query, DEFAULT_USAGE_MS, now);
  return { from: stepOf(from, HOUR_MS), to };
}
