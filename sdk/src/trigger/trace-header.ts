import { context, isSpanContextValid, trace } from "@opentelemetry/api";
import { TRACEPARENT_HEADER, traceparentOf } from "../contract/trace-context.ts";

/** Returns the header that makes a triggered run part of the caller's trace, if the caller is in one. */
export function traceHeader(): Record<string, string> {
  const span = trace.getSpanContext(context.active());
  return span && isSpanContextValid(span) ? { [TRACEPARENT_HEADER]: traceparentOf(span) } : {};
}
