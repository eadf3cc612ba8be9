import { type SpanContext, SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import type { SpanRecord } from "../../contract/telemetry.ts";
import type { TelemetrySettings } from "../../define/telemetry-settings.ts";
import type { SpanListener } from "./attempt-telemetry.ts";
import type { RunMeterProvider } from "./run-meter.ts";
import type { RunTracerProvider } from "./tracer-provider.ts";

const FLUSH_MS = 1_000;
const MAX_BATCH = 512;

/** Passes ended spans to an exporter of the project, in batches. An error of the exporter is logged once. */
export class ExporterFeed {
  readonly #settings: TelemetrySettings;
  readonly #waiting: SpanRecord[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasFailed = false;

  constructor(settings: TelemetrySettings) {
    this.#settings = settings;
  }

  readonly listener: SpanListener = (span) => {
    this.#waiting.push(span);
    if (this.#waiting.length >= MAX_BATCH) this.flush();
    else {
      this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
      this.#timer.unref();
    }
  };

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#waiting.splice(0);
    if (records.length === 0) return;
    const spans = records.map((record) => readableSpan(record, this.#settings.resource ?? {}));
    for (const exporter of this.#settings.exporters ?? []) {
      try {
        exporter.export(spans, (result) => {
          if (result.code !== 0) this.#failed(result.error);
        });
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #failed(error: unknown): void {
    if (!this.#hasFailed) console.error("An exporter of `telemetry.exporters` failed:", error);
    this.#hasFailed = true;
  }
}

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

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;
const CODES = { unset: SpanStatusCode.UNSET, ok: SpanStatusCode.OK, error: SpanStatusCode.ERROR } as const;

/** A span in the form of OpenTelemetry's SDK (`ReadableSpan`), which exporters take. */
function readableSpan(record: SpanRecord, resource: Record<string, string>) {
  const { traceId, spanId, parentSpanId, name, kind, startTime, endTime, status, message } = record;
  const end = endTime ?? startTime;
  const own: SpanContext = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
  const parent: SpanContext | undefined = parentSpanId
    ? { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED }
    : undefined;
  const attributes = { "service.name": "acme-task", ...resource };
  return {
    name,
    kind: KINDS[kind],
    spanContext: () => own,
    parentSpanContext: parent,
    parentSpanId: parentSpanId ?? undefined,
    startTime: hrTime(startTime),
    endTime: hrTime(end),
    duration: hrTime(end - startTime),
    status: { code: CODES[status], message },
    attributes: {
      ...record.attributes,
      ...(record.runId ? { "acme.run.id": record.runId } : {}),
      ...(record.attempt ? { "acme.attempt": record.attempt } : {}),
    },
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
    resource: {
      attributes,
      asyncAttributesPending: false,
      merge: () => null,
      getRawAttributes: () => Object.entries(attributes),
    },
    instrumentationScope: { name: "@acme/sdk" },
    instrumentationLibrary: { name: "@acme/sdk" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}
