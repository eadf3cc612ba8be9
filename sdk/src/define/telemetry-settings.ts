import type { MeterProvider, TracerProvider } from "@opentelemetry/api";

/** `telemetry` of the configuration file. */
export interface TelemetrySettings {
  /** OpenTelemetry instrumentations: they record spans of the libraries that a task calls. */
  instrumentations?: (Instrumentation | Instrumentation[])[];
  /**
   * OpenTelemetry span exporters, such as an `OTLPTraceExporter`. They get every span of every run, in
   * addition to Acme.
   */
  exporters?: SpanExporter[];
  /** Attributes of the resource that exporters send. `service.name` defaults to "acme-task". */
  resource?: Record<string, string>;
}

/** The part of an instrumentation that all versions have. */
interface Instrumentation {
  instrumentationName?: string;
  setTracerProvider?(provider: TracerProvider): void;
  setMeterProvider?(provider: MeterProvider): void;
  enable?(): void;
}

/** The part of a span exporter that all versions have. */
interface SpanExporter {
  export(spans: unknown[], done: (result: { code: number; error?: Error }) => void): void;
  forceFlush?(): Promise<void>;
  shutdown?(): Promise<void>;
}
