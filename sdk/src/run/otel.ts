import { context, type MetricsAPI, metrics, ROOT_CONTEXT, type TraceAPI, trace } from "@opentelemetry/api";

/** Functions for code that other systems trace too. */
export const otel: {
  withExternalTrace<T>(fn: () => T): T;
  metrics: MetricsAPI;
  trace: TraceAPI;
} = {
  /**
   * Calls a function outside of the run's trace: spans that it starts begin traces of their own, as they
   * would in a separate program.
   */
  withExternalTrace: (fn) => context.with(ROOT_CONTEXT, fn),
  /** OpenTelemetry's metrics API. A task's measurements are shown with its run. */
  metrics,
  /** OpenTelemetry's trace API. A span that a task opens is part of its run's trace. */
  trace,
};
