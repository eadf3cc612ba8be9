import { type Attributes, type HrTime, ValueType } from "@opentelemetry/api";
import type { DataPoint, MetricData, MetricProducer } from "@opentelemetry/sdk-metrics";
import type { Registry } from "prom-client";
import { sleep } from "./backoff.ts";
import { messageOf } from "./errors.ts";
import type { HostLog } from "./log.ts";

const DEFAULT_INTERVAL_MS = 60_000;
const LEAST_INTERVAL_MS = 1_000;
const EXPORT_MS = 10_000;
const FAREWELL_MS = 3_000;

/**
 * Pushes what the host shows to Prometheus to a collector, where OpenTelemetry's variables name one (`OTEL_EXPORTER_OTLP_ENDPOINT`,
 * `…_HEADERS`, `OTEL_METRIC_EXPORT_INTERVAL`): its own SDK reads them and sends. The SDK is loaded only then. Returns how to stop, with
 * a last push; null: nothing is pushed.
 */
export async function pushMetrics(
  registry: Registry,
  hostId: string,
  log: HostLog,
  env = process.env,
): Promise<(() => Promise<void>) | null> {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT && !env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT) return null;
  const [sdk, { OTLPMetricExporter }, { resourceFromAttributes }] = await Promise.all([
    import("@opentelemetry/sdk-metrics"),
    import("@opentelemetry/exporter-metrics-otlp-proto"),
    import("@opentelemetry/resources"),
  ]);
  const exporter = new OTLPMetricExporter({ timeoutMillis: EXPORT_MS });
  const send = exporter.export.bind(exporter);
  let failures = 0;
  exporter.export = (metrics, done) =>
    send(metrics, (result) => {
      failures = result.error ? failures + 1 : 0;
      // A collector that is away for hours is no reason for thousands of lines.
      if (result.error && Number.isInteger(Math.log2(failures)))
        log.warn(`Metrics could not be sent to the collector (${failures}×): ${messageOf(result.error)}`, {
          host: hostId,
        });
      done(result);
    });
  const given = Number(env.OTEL_METRIC_EXPORT_INTERVAL || DEFAULT_INTERVAL_MS);
  const interval = Number.isFinite(given) ? Math.max(LEAST_INTERVAL_MS, given) : DEFAULT_INTERVAL_MS;
  const resource = resourceFromAttributes({ "service.name": "acme-host", "service.instance.id": hostId });
  const provider = new sdk.MeterProvider({
    resource,
    readers: [
      new sdk.PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis: interval,
        exportTimeoutMillis: Math.min(interval, EXPORT_MS),
        metricProducers: [producerOf(registry, resource, sdk)],
      }),
    ],
  });
  // The end of the host waits for no collector that is away.
  return () => Promise.race([provider.shutdown().catch(() => {}), sleep(FAREWELL_MS)]);
}

type Sdk = typeof import("@opentelemetry/sdk-metrics");

/** Reads a registry of Prometheus' client as OpenTelemetry's SDK wants it. */
export function producerOf(
  registry: Registry,
  resource: Awaited<ReturnType<MetricProducer["collect"]>>["resourceMetrics"]["resource"],
  { AggregationTemporality, DataPointType }: Pick<Sdk, "AggregationTemporality" | "DataPointType">,
): MetricProducer {
  const startTime = timeOf(Date.now());
  return {
    async collect() {
      const endTime = timeOf(Date.now());
      const metrics: MetricData[] = [];
      for (const { name, help, type, values } of await registry.getMetricsAsJSON()) {
        const about = {
          descriptor: { name, description: help, unit: "", valueType: ValueType.DOUBLE },
          aggregationTemporality: AggregationTemporality.CUMULATIVE,
        };
        const points: DataPoint<number>[] = values.map(({ value, labels }) => ({
          startTime,
          endTime,
          attributes: attributesOf(labels),
          value,
        }));
        // The kinds of that client are words at run time, whatever its types say.
        switch (String(type)) {
          case "counter":
            metrics.push({
              ...about,
              dataPointType: DataPointType.SUM,
              isMonotonic: true,
              dataPoints: points,
            });
            break;
          case "gauge":
            metrics.push({ ...about, dataPointType: DataPointType.GAUGE, dataPoints: points });
            break;
          case "histogram":
            metrics.push({
              ...about,
              dataPointType: DataPointType.HISTOGRAM,
              dataPoints: histogramsOf(name, values, startTime, endTime),
            });
        }
      }
      return {
        resourceMetrics: { resource, scopeMetrics: [{ scope: { name: "acme" }, metrics }] },
        errors: [],
      };
    },
  };
}

type Value = { value: number; labels: Partial<Record<string, string | number>>; metricName?: string };

/** Prometheus counts what is below each bound, OpenTelemetry what is between two. */
function histogramsOf(name: string, values: Value[], startTime: HrTime, endTime: HrTime) {
  const series = Map.groupBy(values, ({ labels }) => JSON.stringify(attributesOf(labels)));
  return [...series.values()].map((own) => {
    const buckets = own
      .filter(({ metricName }) => metricName === `${name}_bucket`)
      .map(({ labels, value }) => ({
        bound: labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le),
        value,
      }))
      .sort((a, b) => a.bound - b.bound);
    const valueNamed = (suffix: string): number =>
      own.find(({ metricName }) => metricName === `${name}_${suffix}`)?.value ?? 0;
    return {
      startTime,
      endTime,
      attributes: attributesOf(own[0]?.labels ?? {}),
      value: {
        buckets: {
          boundaries: buckets.map(({ bound }) => bound).filter(Number.isFinite),
          counts: buckets.map(({ value }, index) => value - (buckets[index - 1]?.value ?? 0)),
        },
        sum: valueNamed("sum"),
        count: valueNamed("count"),
      },
    };
  });
}

const attributesOf = (labels: Value["labels"]): Attributes =>
  Object.fromEntries(Object.entries(labels).filter(([name, value]) => name !== "le" && value !== undefined));

const timeOf = (ms: number): HrTime => [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000];
