import {
  type Context,
  isSpanContextValid,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { parseTraceparent, TRACEPARENT_HEADER, traceparentOf } from "../../contract/trace-context.ts";

/** Propagates the W3C's `traceparent`, for instrumentations that call other services. */
export class TraceparentPropagator implements TextMapPropagator {
  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = trace.getSpanContext(context);
    if (span && isSpanContextValid(span)) setter.set(carrier, TRACEPARENT_HEADER, traceparentOf(span));
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const header = getter.get(carrier, TRACEPARENT_HEADER);
    const parent = parseTraceparent(Array.isArray(header) ? header[0] : header);
    return parent
      ? trace.setSpanContext(context, { ...parent, traceFlags: TraceFlags.SAMPLED, isRemote: true })
      : context;
  }

  fields(): string[] {
    return [TRACEPARENT_HEADER];
  }
}
