import { z } from "zod";
import { commaList, QueryText, RangeQuery, wholeNumber } from "./queries.ts";
import { Reference } from "./trigger.ts";

const Time = z.iso.datetime();

/** `error_` followed by the fingerprint. */
export const ErrorId = z
  .string()
  .regex(/^error_[0-9a-f]{16}$/, "The id of an error is error_ and 16 hexadecimal digits");

export const ERROR_STATUSES = ["unresolved", "resolved", "ignored"] as const;
export const ErrorGroupStatus = z.enum(ERROR_STATUSES);
export type ErrorGroupStatus = z.infer<typeof ErrorGroupStatus>;

/**
 * Runs of one task that failed with the same error. The field names are those of the published client's
 * types.
 */
export const ErrorGroupListItem = z.object({
  id: ErrorId,
  fingerprint: z.string(),
  taskIdentifier: z.string(),
  /** The error's class; for an error of the platform, its code. */
  errorType: z.string(),
  /** The first line of one of its messages. */
  errorMessage: z.string(),
  status: ErrorGroupStatus,
  /** The number of runs that failed with it in the requested time; without one, in total. */
  count: z.number(),
  firstSeen: Time,
  lastSeen: Time,
  resolvedAt: Time.nullable(),
  ignoredUntil: Time.nullable(),
  /** When the error recurred after it was resolved or ignored. */
  reopenedAt: Time.nullable(),
  /** The number of runs that failed with it in each of the last 24 hours, oldest first. */
  activity: z.array(z.number()),
});
export type ErrorGroupListItem = z.infer<typeof ErrorGroupListItem>;

export const ListErrorsQuery = z.object({
  "filter[taskIdentifier]": commaList(QueryText).optional(),
  "filter[version]": commaList(QueryText).optional(),
  "filter[status]": commaList(ErrorGroupStatus).optional(),
  /** Part of the message or of the type. Case is ignored. */
  "filter[search]": QueryText.optional(),
  /** Returns errors that occurred in this time. Occurrences are counted by the hour. */
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
  /** The time that `series` covers. Default: the last 24 hours; at most 90 days. */
  ...RangeQuery,
});

/** How often an error occurred in one interval. */
export const ErrorPoint = z.object({
  time: Time,
  count: z.number(),
  /** By the version that failed. Development runs have no version: they are counted under an empty name. */
  versions: z.record(z.string(), z.number()),
});

export const ErrorGroupDetail = ErrorGroupListItem.omit({ activity: true }).extend({
  /** The five newest versions. */
  affectedVersions: z.array(z.string()),
  resolvedInVersion: z.string().nullable(),
  resolvedBy: z.string().nullable(),
  ignoredAt: Time.nullable(),
  ignoredReason: z.string().nullable(),
  ignoredByUserId: z.string().nullable(),
  ignoredUntilOccurrenceRate: z.number().nullable(),
  ignoredUntilTotalOccurrences: z.number().nullable(),
  /** The stack of the last run, if it is still known. */
  stackTrace: z.string().nullable(),
  /** The interval of one point of `series`, in minutes: 60, or a day if the time is longer than a week. */
  resolutionMinutes: z.number(),
  series: z.array(ErrorPoint),
  /**
   * The last runs that failed with it, newest first. `GET /api/v1/runs?filter[error]=ID` lists all of them.
   */
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
   * The newest version that still has the error. The error recurs when a later version fails with it.
   * Default: the newest version that failed with it, or the current deployment's if that is newer.
   */
  resolvedInVersion: Reference.optional(),
});

/**
 * Without a limit, the error is ignored until somebody changes that; with several, until the first of them is
 * exceeded.
 */
export const IgnoreErrorBody = z.object({
  /** Milliseconds. */
  duration: z
    .number()
    .int()
    .positive()
    .max(10 * 365 * 86_400_000)
    .optional(),
  /** The error recurs when it occurs more often than this within a minute. */
  occurrenceRate: z.number().positive().max(1e9).optional(),
  /** The error recurs after this many further occurrences. */
  totalOccurrences: z.number().int().positive().max(1e12).optional(),
  reason: z.string().max(1_000).optional(),
});
