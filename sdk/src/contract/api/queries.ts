import { z } from "zod";

/** `a,b,c` in a query, at least one. */
export const commaList = <T extends z.ZodType<string, string>>(item: T) =>
  z
    .string()
    .transform((text) => text.split(",").filter((part) => part !== ""))
    .pipe(z.array(item).min(1));

export const wholeNumber = (message: string) => z.string().regex(/^\d+$/, message).transform(Number);

/** When something was created: `period` (a duration back from now) goes before `from` and `to` (milliseconds or ISO 8601). */
export const RangeQuery = {
  "filter[createdAt][from]": z.string().optional(),
  "filter[createdAt][to]": z.string().optional(),
  "filter[createdAt][period]": z.string().optional(),
};
