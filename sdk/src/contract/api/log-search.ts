import { z } from "zod";
import { LogLevel } from "../telemetry.ts";
import { parseDuration } from "./durations.ts";
import { commaList, Moment, QueryText, wholeNumber } from "./queries.ts";

const Period = z.string().refine((text) => parseDuration(text) !== null, {
  message: 'Give a duration such as "24h" or "7d", of at most 10 years',
});

/** `user=ada,code=402`: properties that a line must have. */
const PropertyFilter = commaList(
  z
    .string()
    .max(1_024)
    .regex(/^[^=]{1,256}=/, "Give NAME=VALUE, such as user=ada"),
).pipe(z.array(z.string()).max(10));

/** The criteria of a log search. Without a time, the search covers the last day. */
const Search = {
  /** Words that a message must contain, in any order and case; a quoted text is a phrase. */
  text: QueryText.optional(),
  level: commaList(LogLevel).optional(),
  task: commaList(QueryText).optional(),
  run: QueryText.optional(),
  property: PropertyFilter.optional(),
  period: Period.optional(),
  from: Moment,
  to: Moment,
};

export const SearchLogsQuery = z.object({
  ...Search,
  limit: wholeNumber("Give a number from 1 to 500").pipe(z.number().min(1).max(500)).optional(),
  cursor: QueryText.optional(),
});

export const LogLine = z.object({
  time: z.iso.datetime(),
  level: LogLevel,
  message: z.string(),
  /** Null: the line is from a service, not from a run. */
  runId: z.string().nullable(),
  attempt: z.number().nullable(),
  /** Number of the line in the log of its run. */
  seq: z.number(),
  properties: z.record(z.string(), z.unknown()).optional(),
  traceId: z.string().optional(),
  spanId: z.string().optional(),
});
export type LogLine = z.infer<typeof LogLine>;

export const SearchLogsResponse = z.object({
  /** Newest first. */
  logs: z.array(LogLine),
  /** Pass it as `cursor` to get the lines before these. Absent: there are none. */
  next: z.string().optional(),
});
export type SearchLogsResponse = z.infer<typeof SearchLogsResponse>;

export const CountLogsQuery = z.object({
  ...Search,
  /** The number of bars into which the time is divided. */
  bars: wholeNumber("Give a number from 1 to 500").pipe(z.number().min(1).max(500)).optional(),
});

export const CountLogsResponse = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  /** Width of a bar in milliseconds. Bars begin at multiples of it. */
  step: z.number(),
  /** Bars without lines are left out. */
  bars: z.array(z.object({ time: z.iso.datetime(), counts: z.record(z.string(), z.number()) })),
  total: z.number(),
});
export type CountLogsResponse = z.infer<typeof CountLogsResponse>;
