import { z } from "zod";
import { cutString } from "./cut-string.ts";
import { LIMITS } from "./limits.ts";
import { cutMiddle, fitsBytes } from "./text.ts";

/** If the JSON of the properties is over the limit, its beginning and end are kept. */
function cutProperties(properties: Record<string, unknown>): Record<string, unknown> {
  const json = JSON.stringify(properties);
  if (fitsBytes(json, LIMITS.logPropertiesBytes)) return properties;
  // In a string inside JSON, each quote takes two bytes.
  return { truncated: cutMiddle(json, LIMITS.logPropertiesBytes / 2) };
}

export const TraceId = z.string().regex(/^[0-9a-f]{32}$/, "32 hexadecimal digits");
export const SpanId = z.string().regex(/^[0-9a-f]{16}$/, "16 hexadecimal digits");

export const LogEntry = z.object({
  /** Milliseconds since the epoch. */
  time: z.number(),
  level: z.enum(["trace", "debug", "log", "info", "warn", "error"]),
  message: cutString(LIMITS.logMessageBytes),
  properties: z.record(z.string(), z.unknown()).overwrite(cutProperties).optional(),
  /** The span in which the line was written, if that is not the attempt's. */
  traceId: TraceId.optional(),
  spanId: SpanId.optional(),
});
export type LogEntry = z.infer<typeof LogEntry>;
