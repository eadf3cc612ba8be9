import type { LogRecord } from "@acme/sdk/contract";
import type { LogLine } from "@acme/sdk/contract/api";

export const logLineView = ({
  time,
  level,
  message,
  runId,
  attempt,
  seq,
  properties,
  traceId,
  spanId,
}: LogRecord): LogLine => ({
  time: new Date(time).toISOString(),
  level,
  message,
  runId,
  attempt,
  seq,
  ...(properties ? { properties } : {}),
  ...(traceId ? { traceId } : {}),
  ...(spanId ? { spanId } : {}),
});
