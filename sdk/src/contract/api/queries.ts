import { z } from "zod";
import { parseDate, parseDuration } from "./durations.ts";

/** The maximum number of values of a list in a query, and of characters of each. */
const MAX_VALUES = 100;
const MAX_VALUE_LENGTH = 512;

/** A query parameter that is compared with an id, a name or a key. */
export const QueryText = z.string().max(MAX_VALUE_LENGTH);

/** `a,b,c` in a query: from one to a hundred distinct values. */
export const commaList = <T extends z.ZodType<string, string>>(item: T) =>
  z
    .string()
    .transform((text) => [...new Set(text.split(",").filter((part) => part !== ""))])
    .pipe(z.array(item).min(1).max(MAX_VALUES));

/** Fifteen digits are always a safe integer. */
export const wholeNumber = (message: string) =>
  z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number);

/** The number of the requested page of a list. */
export const PageNumber = wholeNumber("page is a number, from 1").pipe(
  z.number().min(1, "page is a number, from 1").max(100_000, "page is at most 100000"),
);

export const Moment = z
  .string()
  .refine((text) => momentOf(text, Date.now()) !== null, {
    message: "Give milliseconds since the epoch or an ISO 8601 date, from 1970 to ten years from now",
  })
  .optional();

/**
 * Returns a time in a query, given as milliseconds since the epoch or as an ISO 8601 date, in milliseconds;
 * null for anything else.
 */
export const momentOf = (text: string, now: number): number | null =>
  /^\d{1,15}$/.test(text) ? Number(text) : parseDate(text, now);

/**
 * The time of creation: `period` is a duration that ends now, and takes precedence over `from` and `to` (milliseconds since
 * the epoch, or ISO 8601).
 */
export const RangeQuery = {
  "filter[createdAt][from]": Moment,
  "filter[createdAt][to]": Moment,
  "filter[createdAt][period]": z
    .string()
    .refine((text) => parseDuration(text) !== null, {
      message: 'Give a duration such as "24h" or "7d", of at most 10 years',
    })
    .optional(),
};
