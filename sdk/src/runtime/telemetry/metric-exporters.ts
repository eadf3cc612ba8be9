import type { TelemetrySettings } from "../../define/telemetry-settings.ts";
import { realNow } from "../real-clock.ts";
import { runContext } from "../run-context.ts";
import { ExportFeed } from "./export-feed.ts";
import { MetricForm, type Temporality } from "./metric-data.ts";
import type { ExportedResource } from "./otel-forms.ts";
import type { RunMeterProvider } from "./run-meter.ts";
import type { MetricListener } from "./run-metrics.ts";

type MetricExporter = NonNullable<TelemetrySettings["metricExporters"]>[number];
type MetricReader = NonNullable<TelemetrySettings["metricReaders"]>[number];
type ResourceMetrics = ReturnType<MetricForm["metricsOf"]>;

const temporalityOf = (from: MetricExporter | MetricReader): Temporality | undefined =>
  from.selectAggregationTemporality &&
  ((type) => from.selectAggregationTemporality?.(type as never) as number);

/** Gives what a run measures to an exporter, whenever it is collected. */
export function exporterListener(exporter: MetricExporter, resource: ExportedResource): MetricListener {
  const form = new MetricForm(resource, temporalityOf(exporter));
  const feed = new ExportFeed<ResourceMetrics>("metricExporters", [
    (batches, done) => {
      for (const metrics of batches) exporter.export(metrics as never, done);
    },
  ]);
  return {
    begins: (run) => form.begins(run),
    measured(measured, time) {
      if (measured.length === 0) return;
      feed.add(form.metricsOf(measured, time));
      feed.flush();
    },
    ends() {},
  };
}

/** Lets a reader ask what the run measures; at its end, the reader is asked to. */
export function readerListener(
  reader: MetricReader,
  resource: ExportedResource,
  meters: RunMeterProvider,
): MetricListener {
  const form = new MetricForm(resource, temporalityOf(reader));
  let isRunning = false;
  const producer = {
    async collect() {
      // At the end there is no time to ask callbacks: the next run may begin.
      if (isRunning) await meters.observe();
      return { resourceMetrics: form.metricsOf(meters.snapshot(), realNow()), errors: [] };
    },
  };
  runContext.exit(() => reader.setMetricProducer(producer as never));
  return {
    begins(run) {
      form.begins(run);
      isRunning = true;
    },
    measured() {},
    ends() {
      isRunning = false;
      runContext.exit(() => void reader.forceFlush().catch(() => {}));
    },
  };
}
