import { z } from "zod";
import { commaList, QueryText, RangeQuery, wholeNumber } from "./queries.ts";
import { Reference } from "./trigger.ts";

const Time = z.iso.datetime();

/** `error_` and the fingerprint. */
export const ErrorId = z
  .string()
  .regex(/^error_[0-9a-f]{16}$/, "The id of an error is error_ and 16 hexadecimal digits");

export const ERROR_STATUSES = ["unresolved", "resolved", "ignored"] as const;
export const ErrorGroupStatus = z.enum(ERROR_STATUSES);
export type ErrorGroupStatus = z.infer<typeof ErrorGroupStatus>;

/** Runs of one task that failed with the same error, as the published client's types name the fields. */
export const ErrorGroupListItem = z.object({
  id: ErrorId,
  fingerprint: z.string(),
  taskIdentifier: z.string(),
  /** The error's class, or its code where the platform made it. */
  errorType: z.string(),
  /** The first line of one of its messages. */
  errorMessage: z.string(),
  status: ErrorGroupStatus,
  /** Runs that failed with it in the time that was asked for; without one, ever. */
  count: z.number(),
  firstSeen: Time,
  lastSeen: Time,
  resolvedAt: Time.nullable(),
  ignoredUntil: Time.nullable(),
  /** When it came back after it was resolved or ignored. */
  reopenedAt: Time.nullable(),
  /** Runs that failed with it, by the hour, oldest first: of the last 24 hours. */
  activity: z.array(z.number()),
});
export type ErrorGroupListItem = z.infer<typeof ErrorGroupListItem>;

export const ListErrorsQuery = z.object({
  "filter[taskIdentifier]": commaList(QueryText).optional(),
  "filter[version]": commaList(QueryText).optional(),
  "filter[status]": commaList(ErrorGroupStatus).optional(),
  /** Part of the message or of the type, in any case. */
  "filter[search]": QueryText.optional(),
  /** Errors that were seen in this time. It is counted by the hour. */
  ...RangeQuery,
  /** `lastSeen` (default), or `count`: the most frequent first. */
  sort: z.enum(["lastSeen", "count"]).optional(),
  "page[size]": wholeNumber("Give a number from 1 to 100").pipe(z.number().min(1).max(100)).optional(),
  "page[after]": ErrorId.optional(),
  "page[before]": ErrorId.optional(),
});

export const ListErrorsResponse = z.object({
  data: z.array(ErrorGroupListItem),
  pagination: z.object({ next: z.string().optional(), previous: z.string().optional() }),
});
export type ListErrorsResponse = z.infer<typeof ListErrorsResponse>;

export const RetrieveErrorQuery = z.object({
  /** The time that `series` is of. Default: the last 24 hours; at most 90 days. */
  ...RangeQuery,
});

/** How often an error was seen, in one step of time. */
export const ErrorPoint = z.object({
  time: Time,
  count: z.number(),
  /** By the version that failed; runs without one (of development) are under an empty name. */
  versions: z.record(z.string(), z.number()),
});

export const ErrorGroupDetail = ErrorGroupListItem.omit({ activity: true }).extend({
  /** The newest five. */
  affectedVersions: z.array(z.string()),
  resolvedInVersion: z.string().nullable(),
  resolvedBy: z.string().nullable(),
  ignoredAt: Time.nullable(),
  ignoredReason: z.string().nullable(),
  ignoredByUserId: z.string().nullable(),
  ignoredUntilOccurrenceRate: z.number().nullable(),
  ignoredUntilTotalOccurrences: z.number().nullable(),
  /** The stack of the last run, if it is known still. */
  stackTrace: z.string().nullable(),
  /** Minutes of a point of `series`: 60, or a day where the time is over a week. */
  resolutionMinutes: z.number(),
  series: z.array(ErrorPoint),
  /** The last runs that failed with it, newest first. `GET /api/v1/runs?filter[error]=ID` lists all. */
  lastRuns: z.array(
    z.object({
      id: z.string(),
      status: z.string(),
      version: z.string().nullable(),
      createdAt: Time,
      finishedAt: Time.nullable(),
    }),
  ),
});
export type ErrorGroupDetail = z.infer<typeof ErrorGroupDetail>;

export const ResolveErrorBody = z.object({
  /**
   * The newest version that still has the error. It comes back when a later one fails with it. Default: the newest version that
   * failed with it, or the current deployment's where that is newer.
   */
  resolvedInVersion: Reference.optional(),
});

/** Without a limit, it is ignored until somebody says otherwise; with several, until the first is passed. */
export const IgnoreErrorBody = z.object({
  /** Milliseconds. */
  duration: z
    .number()
    .int()
    .positive()
    .max(10 * 365 * 86_400_000)
    .optional(),
  /** It comes back when it happens more often than this in a minute. */
  occurrenceRate: z.number().positive().max(1e9).optional(),
  /** It comes back after so many more occurrences. */
  totalOccurrences: z.number().int().positive().max(1e12).optional(),
  reason: z.string().max(1_000).optional(),
});
