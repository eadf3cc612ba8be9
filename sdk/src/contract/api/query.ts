import { z } from "zod";
import { parseDate, parseDuration } from "./durations.ts";

/** The maximum number of characters of a query. */
const MAX_QUERY = 10_000;

const Time = z.string().refine((text) => parseDate(text, Date.now()) !== null, {
  message: "Give an ISO 8601 date, from 1970 to ten years from now",
});

/** The body of `POST /api/v1/query`. The first fields are those of Trigger.dev's API. */
export const QueryBody = z
  .object({
    query: z.string().min(1, "Give a query").max(MAX_QUERY, `A query has at most ${MAX_QUERY} characters`),
    scope: z.enum(["environment", "project", "organization"]).default("environment"),
    /** A duration that ends now: only rows within that time are read. */
    period: z
      .string()
      .refine((text) => parseDuration(text) !== null, { message: 'Give a duration such as "24h" or "7d"' })
      .nullish(),
    from: Time.nullish(),
    to: Time.nullish(),
    format: z.enum(["json", "csv"]).default("json"),
  })
  .refine(({ period, from, to }) => !period || (!from && !to), {
    message: "Give either period or from and to",
    path: ["period"],
  })
  .refine(({ from, to }) => Boolean(from) === Boolean(to), {
    message: "Give from and to together",
    path: ["to"],
  });

export const QueryResponse = z.union([
  z.object({
    format: z.literal("json"),
    results: z.array(z.record(z.string(), z.unknown())),
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    statistics: z.object({ elapsedMs: z.number(), rowsRead: z.number(), bytesRead: z.number() }),
  }),
  z.object({ format: z.literal("csv"), results: z.string() }),
]);
export type QueryResponse = z.infer<typeof QueryResponse>;

export const QuerySchemaResponse = z.object({
  tables: z.array(
    z.object({
      name: z.string(),
      description: z.string(),
      timeColumn: z.string(),
      columns: z.array(
        z.object({
          name: z.string(),
          type: z.string(),
          description: z.string(),
          allowedValues: z.array(z.string()).optional(),
          coreColumn: z.boolean().optional(),
        }),
      ),
    }),
  ),
});
