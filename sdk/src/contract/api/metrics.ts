import { z } from "zod";
import { parseDuration } from "./durations.ts";
import { commaList, Moment, QueryText } from "./queries.ts";
import { PUBLIC_STATUSES } from "./runs.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Charts go back this far; those by the minute go back only {@link MINUTES_BACK_MS}. */
export const METRICS_BACK_MS = 90 * DAY_MS;
export const MINUTES_BACK_MS = 6 * HOUR_MS;
export const MOST_METRIC_POINTS = 300;
export const MOST_METRIC_GROUPS = 10;
export const USAGE_BACK_MS = 400 * DAY_MS;

const duration = (most: number, message: string) =>
  z
    .string()
    .transform((text) => parseDuration(text) ?? 0)
    .refine((ms) => ms >= 60_000 && ms <= most, message);

export const MetricsQuery = z.object({
  /** How far back, such as `1h` or `7d`. It takes precedence over `from` and `to`. Default: `24h`. */
  period: duration(METRICS_BACK_MS, "period is a duration from 1m to 90d").optional(),
  from: Moment,
  to: Moment,
  /**
   * The interval of one point: whole minutes within the last six hours, otherwise whole hours. Default: an
   * interval that gives 60 points or a few more.
   */
  resolution: duration(METRICS_BACK_MS, "resolution is a duration of whole minutes, such as 5m or 1h")
    .refine((ms) => ms % 60_000 === 0, "resolution is a duration of whole minutes, such as 5m or 1h")
    .optional(),
  "filter[taskIdentifier]": commaList(QueryText).optional(),
  "filter[queue]": commaList(QueryText).optional(),
  "filter[machine]": commaList(QueryText).optional(),
  /** Adds a series for each of the ten tasks, queues or machines with the most runs. */
  groupBy: z.enum(["task", "queue", "machine"]).optional(),
});

const Status = z.enum(PUBLIC_STATUSES);

/** What happened to runs in one interval, or in the whole time. */
export const RunMetrics = z.object({
  /** Runs that were triggered, and that started for the first time. */
  created: z.number(),
  started: z.number(),
  /** The number of runs that ended, by final status. Statuses without runs are left out. */
  ended: z.number(),
  byStatus: z.partialRecord(Status, z.number()),
  /** The average number of runs that ended per minute. */
  endedPerMinute: z.number(),
  /**
   * The fraction of ended runs that failed, from 0 to 1. Canceled and expired runs do not count. Null: none
   * ended.
   */
  failureRate: z.number().nullable(),
  /** From a run's first start to its end, waits included. Null: none ended. */
  durationP50Ms: z.number().nullable(),
  durationP95Ms: z.number().nullable(),
  durationP99Ms: z.number().nullable(),
  /** From the trigger, or the end of its delay, to the first start. Null: none started. */
  queueDelayP50Ms: z.number().nullable(),
  queueDelayP95Ms: z.number().nullable(),
  queueDelayP99Ms: z.number().nullable(),
  /** The machine seconds and the cost of the runs that ended. */
  computeSeconds: z.number(),
  costInCents: z.number(),
});
export type RunMetrics = z.infer<typeof RunMetrics>;

export const MetricsPoint = RunMetrics.extend({
  /** When the point's interval begins. */
  time: z.iso.datetime(),
  /**
   * Runs that had started and were unfinished at the end of the interval: executing, between attempts or
   * suspended.
   */
  inProgress: z.number(),
});
export type MetricsPoint = z.infer<typeof MetricsPoint>;

const Series = z.object({ total: RunMetrics, points: z.array(MetricsPoint) });

export const MetricsResponse = Series.extend({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  resolutionMinutes: z.number(),
  /** Present with `groupBy`, largest first. */
  groups: z.array(Series.extend({ key: z.string() })),
});
export type MetricsResponse = z.infer<typeof MetricsResponse>;

export const UsageQuery = z.object({
  /** How far back, such as `30d` (default). It takes precedence over `from` and `to`. Days are in UTC. */
  period: duration(USAGE_BACK_MS, "period is a duration from 1m to 400d").optional(),
  from: Moment,
  to: Moment,
});

const Used = z.object({
  /** Runs that started. */
  runs: z.number(),
  /** Machine seconds of the runs that ended. */
  computeSeconds: z.number(),
  /** The cost of those seconds and of the starts of runs. */
  computeCostInCents: z.number(),
  baseCostInCents: z.number(),
  costInCents: z.number(),
});
export type Used = z.infer<typeof Used>;

export const UsageResponse = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  total: Used,
  machines: z.array(Used.extend({ machine: z.string() })),
  /** Days with runs, oldest first. */
  days: z.array(Used.extend({ day: z.iso.date() })),
  /** The hundred tasks that cost the most. */
  tasks: z.array(Used.extend({ taskIdentifier: z.string() })),
});
export type UsageResponse = z.infer<typeof UsageResponse>;

export const OrganizationUsageResponse = UsageResponse.omit({ tasks: true }).extend({
  /** Environments with runs, most expensive first. */
  environments: z.array(
    Used.extend({ project: z.object({ ref: z.string(), name: z.string() }), environment: z.string() }),
  ),
});
export type OrganizationUsageResponse = z.infer<typeof OrganizationUsageResponse>;
