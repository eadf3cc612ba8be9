import { context, type MetricsAPI, metrics, ROOT_CONTEXT, type TraceAPI, trace } from "@opentelemetry/api";

/** For code that is traced by others too. */
export const otel: {
  withExternalTrace<T>(fn: () => T): T;
  metrics: MetricsAPI;
  trace: TraceAPI;
} = {
  /**
   * Calls a function outside of the run's trace: spans that it starts belong to the trace of whatever it calls, as they would in a
   * program of its own.
   */
  withExternalTrace: (fn) => context.with(ROOT_CONTEXT, fn),
  /** OpenTelemetry's API of metrics: what a task measures is shown with its run. */
  metrics,
  /** OpenTelemetry's API of traces: a span that a task opens is part of its run's trace. */
  trace,
};
