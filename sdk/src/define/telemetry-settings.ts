import type { MeterProvider, TracerProvider } from "@opentelemetry/api";

/** `telemetry` of the configuration file. */
export interface TelemetrySettings {
  /** OpenTelemetry instrumentations: they record spans of the libraries that a task calls. */
  instrumentations?: (Instrumentation | Instrumentation[])[];
  /** OpenTelemetry span exporters, such as an `OTLPTraceExporter`: they receive every span of every run, in addition to Acme. */
  exporters?: Exporter[];
  /**
   * OpenTelemetry span processors, which may change every span before it is sent to Acme and to `exporters`. All of their
   * methods are called when the span ends: redact in `onEnding`, where it is complete and can be changed.
   */
  spanProcessors?: SpanProcessor[];
  /** OpenTelemetry log exporters, such as an `OTLPLogExporter`: they receive every line of every run's log, in addition to Acme. */
  logExporters?: Exporter[];
  /** OpenTelemetry metric exporters, such as an `OTLPMetricExporter`: they receive what a run measures every ten seconds, and at its end. */
  metricExporters?: MetricExporter[];
  /** OpenTelemetry metric readers, which collect a run's measurements at their own intervals. */
  metricReaders?: MetricReader[];
  /** Attributes of the resource that exporters send, or a `Resource`. `service.name` defaults to "acme-task". */
  resource?: Record<string, string> | { attributes: object };
}

/** The part of an instrumentation that all versions have. */
interface Instrumentation {
  instrumentationName?: string;
  setTracerProvider?(provider: TracerProvider): void;
  setMeterProvider?(provider: MeterProvider): void;
  enable?(): void;
}

/** The part of a span processor that all versions have. */
interface SpanProcessor {
  onStart(span: never, parentContext: never): void;
  onEnding?(span: never): void;
  onEnd(span: never): void;
}

type Done = (result: { code: number; error?: Error }) => void;

/** The part of an exporter of spans or log records that all versions have. */
interface Exporter {
  export(records: never[], done: Done): void;
}

/** The part of a metric exporter that all versions have. */
interface MetricExporter {
  export(metrics: never, done: Done): void;
  selectAggregationTemporality?(type: never): number;
}

/** The part of a metric reader that all versions have. */
interface MetricReader {
  setMetricProducer(producer: never): void;
  selectAggregationTemporality?(type: never): number;
  forceFlush(): Promise<void>;
}
