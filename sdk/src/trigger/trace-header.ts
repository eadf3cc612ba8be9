import { context, isSpanContextValid, trace } from "@opentelemetry/api";
import { TRACEPARENT_HEADER, traceparentOf } from "../contract/trace-context.ts";

/** The header that makes what is triggered part of the trace that the caller is in, if it is in one. */
export function traceHeader(): Record<string, string> {
  const span = trace.getSpanContext(context.active());
  return span && isSpanContextValid(span) ? { [TRACEPARENT_HEADER]: traceparentOf(span) } : {};
}
