import { context, metrics, propagation, trace } from "@opentelemetry/api";
import type { TelemetrySettings } from "../../define/telemetry-settings.ts";
import { state } from "../../run/state.ts";
import type { SpanChange, SpanListener } from "./attempt-telemetry.ts";
import { ExportFeed } from "./export-feed.ts";
import { enableInstrumentations, readableSpan } from "./exporters.ts";
import { type LogListener, readableLogRecord } from "./log-records.ts";
import { exporterListener, readerListener } from "./metric-exporters.ts";
import { resourceOf } from "./otel-forms.ts";
import { contextManager } from "./run-context-manager.ts";
import { RunMeterProvider } from "./run-meter.ts";
import { RunMetrics } from "./run-metrics.ts";
import { SpanProcessors } from "./span-processors.ts";
import { TraceparentPropagator } from "./traceparent-propagator.ts";
import { RunTracerProvider } from "./tracer-provider.ts";

/** Receivers of the spans of this process's runs, in addition to the host. */
export const spanListeners = new Set<SpanListener>();

/** Changes the spans of this process's runs before they are sent: the span processors of the project. */
let processSpan: SpanChange = (span) => span;
export const changeSpan: SpanChange = (span, isEnded) => processSpan(span, isEnded);

/** Who gets the log lines of the runs of this process, beside the host. */
export const logListeners = new Set<LogListener>();

const meters = new RunMeterProvider();
const tracers = new RunTracerProvider();
export const runMetrics = new RunMetrics(meters);

/**
 * Registers the runtime behind `@opentelemetry/api`, for every copy of it. Called before the project's bundle is loaded: meters
 * that were made before have no effect.
 */
export function registerTelemetry(): void {
  context.setGlobalContextManager(contextManager.enable());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  propagation.setGlobalPropagator(new TraceparentPropagator());
  serveEveryCopy();
}

/**
 * A copy of the API in a project's bundle accepts registrations only of an equal or later version, and can be
 * later than ours. The registered objects are the same in all 1.x versions.
 */
function serveEveryCopy(): void {
  const registry = (globalThis as Record<symbol, { version?: string } | undefined>)[
    Symbol.for("opentelemetry.js.api.1")
  ];
  if (registry) registry.version = "1.999.0";
}

/** Applies `telemetry` of the project's configuration, when its bundle is loaded. */
export function applyTelemetrySettings(): void {
  const settings = state.config.telemetry;
  if (!settings) return;
  enableInstrumentations(settings, tracers, meters);
  const { exporters = [], logExporters = [], metricExporters = [], metricReaders = [] } = settings;
  const resource = resourceOf(settings);
  if (settings.spanProcessors?.length)
    processSpan = new SpanProcessors(settings.spanProcessors, resource).process;
  if (exporters.length > 0) {
    const feed = new ExportFeed<object>("exporters", exporters.map(exportOf));
    spanListeners.add((span) => feed.add(readableSpan(span, resource)));
    flushAtEnd(feed);
  }
  if (logExporters.length > 0) {
    const feed = new ExportFeed<object>("logExporters", logExporters.map(exportOf));
    logListeners.add((line) => feed.add(readableLogRecord(line, resource)));
    flushAtEnd(feed);
  }
  for (const exporter of metricExporters) runMetrics.listeners.add(exporterListener(exporter, resource));
  for (const reader of metricReaders) runMetrics.listeners.add(readerListener(reader, resource, meters));
}

type Exporter = NonNullable<TelemetrySettings["exporters"]>[number];

/** Exporters take the form of their own version of OpenTelemetry's SDK, which ours has all of. */
const exportOf =
  (exporter: Exporter) =>
  (records: object[], done: Parameters<Exporter["export"]>[1]): void =>
    exporter.export(records as never[], done);

const flushAtEnd = ({ flush }: ExportFeed<object>): void => {
  process.on("beforeExit", flush);
};
