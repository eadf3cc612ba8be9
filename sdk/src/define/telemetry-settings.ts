import type { MeterProvider, TracerProvider } from "@opentelemetry/api";

/** `telemetry` of the configuration file. */
export interface TelemetrySettings {
  /** OpenTelemetry instrumentations: they record spans of the libraries that a task calls. */
  instrumentations?: (Instrumentation | Instrumentation[])[];
  /** OpenTelemetry span exporters, such as an `OTLPTraceExporter`: they get every span of every run, beside Acme. */
  exporters?: SpanExporter[];
  /** Attributes of the resource that exporters send. `service.name` is "acme-task" without one. */
  resource?: Record<string, string>;
}

/** What an instrumentation of any version has. */
interface Instrumentation {
  instrumentationName?: string;
  setTracerProvider?(provider: TracerProvider): void;
  setMeterProvider?(provider: MeterProvider): void;
  enable?(): void;
}

/** What a span exporter of any version has. */
interface SpanExporter {
  export(spans: unknown[], done: (result: { code: number; error?: Error }) => void): void;
  forceFlush?(): Promise<void>;
  shutdown?(): Promise<void>;
}
