import { context, type MetricsAPI, metrics, ROOT_CONTEXT } from "@opentelemetry/api";

/** For code that is traced by others too. */
export const otel: {
  withExternalTrace<T>(fn: () => T): T;
  metrics: MetricsAPI;
} = {
  /**
   * Calls a function outside of the run's trace: spans that it starts belong to the trace of whatever it calls, as they would in a
   * program of its own.
   */
  withExternalTrace: (fn) => context.with(ROOT_CONTEXT, fn),
  /** OpenTelemetry's API of metrics. */
  metrics,
};
