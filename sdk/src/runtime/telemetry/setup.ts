import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { state } from "../../run/state.ts";
import type { SpanListener } from "./attempt-telemetry.ts";
import { ExporterFeed, enableInstrumentations } from "./exporters.ts";
import { contextManager } from "./run-context-manager.ts";
import { RunMeterProvider } from "./run-meter.ts";
import { RunMetrics } from "./run-metrics.ts";
import { TraceparentPropagator } from "./traceparent-propagator.ts";
import { RunTracerProvider } from "./tracer-provider.ts";

/** Receivers of the spans of this process's runs, in addition to the host. */
export const spanListeners = new Set<SpanListener>();

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
  if (!settings.exporters?.length) return;
  const feed = new ExporterFeed(settings);
  spanListeners.add(feed.listener);
  process.on("beforeExit", () => feed.flush());
}
