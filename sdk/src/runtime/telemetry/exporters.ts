import { type SpanContext, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import type { SpanRecord } from "../../contract/telemetry.ts";
import type { TelemetrySettings } from "../../define/telemetry-settings.ts";
import { type ExportedResource, hrTime, ofRun, SCOPE } from "./otel-forms.ts";
import type { RunMeterProvider } from "./run-meter.ts";
import { SPAN_KINDS } from "./span-kinds.ts";
import type { RunTracerProvider } from "./tracer-provider.ts";

/** From now on, instrumentations record with the runtime's providers. */
export function enableInstrumentations(
  { instrumentations = [] }: TelemetrySettings,
  tracers: RunTracerProvider,
  meters: RunMeterProvider,
): void {
  for (const instrumentation of instrumentations.flat()) {
    instrumentation.setTracerProvider?.(tracers);
    instrumentation.setMeterProvider?.(meters);
    instrumentation.enable?.();
  }
}

const CODES = { unset: SpanStatusCode.UNSET, ok: SpanStatusCode.OK, error: SpanStatusCode.ERROR } as const;

/** A span in the form of OpenTelemetry's SDK (`ReadableSpan`), which exporters take. */
export function readableSpan(record: SpanRecord, resource: ExportedResource) {
  const { traceId, spanId, parentSpanId, name, kind, startTime, endTime, status, message } = record;
  const end = endTime ?? startTime;
  const own: SpanContext = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
  const parent: SpanContext | undefined = parentSpanId
    ? { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED }
    : undefined;
  return {
    name,
    kind: SPAN_KINDS[kind],
    spanContext: () => own,
    parentSpanContext: parent,
    parentSpanId: parentSpanId ?? undefined,
    startTime: hrTime(startTime),
    endTime: hrTime(end),
    duration: hrTime(end - startTime),
    status: { code: CODES[status], message },
    attributes: { ...record.attributes, ...ofRun(record) },
    links: record.links.map(({ attributes, ...ids }) => ({
      context: { ...ids, traceFlags: TraceFlags.SAMPLED },
      attributes,
      droppedAttributesCount: 0,
    })),
    events: record.events.map(({ time, ...event }) => ({
      ...event,
      time: hrTime(time),
      droppedAttributesCount: 0,
    })),
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    instrumentationLibrary: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
