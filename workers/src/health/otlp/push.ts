import type { Metric } from "../prometheus-text.ts";
import type { ExportSettings } from "./settings.ts";

/** A collector may take so long. */
const DEADLINE_MS = 10_000;
const CUMULATIVE = 2;

/** Sends metrics once. @throws Error where the collector can't be reached, is late or refuses them */
export async function pushMetrics(
  { url, headers }: ExportSettings,
  metrics: Metric[],
  since: number,
  now: number,
): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(otlpOf(metrics, since, now)),
    redirect: "manual",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  await response.body?.cancel();
  if (response.status < 200 || response.status > 299)
    throw new Error(`The collector answered with the status ${response.status}`);
}

const nanos = (ms: number): string => `${Math.floor(ms)}000000`;

/** An export request of OTLP in JSON. */
export function otlpOf(metrics: Metric[], since: number, now: number) {
  return {
    resourceMetrics: [
      {
        resource: { attributes: [attribute("service.name", "acme-server")] },
        scopeMetrics: [
          { scope: { name: "acme" }, metrics: metrics.map((metric) => metricOf(metric, since, now)) },
        ],
      },
    ],
  };
}

const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });

function metricOf({ name, help, type, samples }: Metric, since: number, now: number) {
  const dataPoints = samples.map(({ labels = {}, value }) => ({
    attributes: Object.entries(labels).map(([key, text]) => attribute(key, text)),
    ...(type === "counter" ? { startTimeUnixNano: nanos(since) } : {}),
    timeUnixNano: nanos(now),
    asDouble: value,
  }));
  return type === "counter"
    ? { name, description: help, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } }
    : { name, description: help, gauge: { dataPoints } };
}
