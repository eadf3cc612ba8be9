import type { Bindings } from "../../bindings.ts";

export interface ExportSettings {
  url: string;
  headers: Record<string, string>;
  intervalMs: number;
}

type ExportBindings = Pick<
  Bindings,
  | "OTEL_EXPORTER_OTLP_ENDPOINT"
  | "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
  | "OTEL_EXPORTER_OTLP_HEADERS"
  | "OTEL_METRIC_EXPORT_INTERVAL"
>;

const DEFAULT_INTERVAL_MS = 60_000;
const LEAST_INTERVAL_MS = 1_000;

/** Where the platform's metrics go, as OpenTelemetry's variables say it; null: nowhere. */
export function exportSettings(env: ExportBindings): ExportSettings | null {
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/+$/, "");
  const url = env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT || (base ? `${base}/v1/metrics` : "");
  if (exportProblem(env) !== null || url === "") return null;
  const interval = Number(env.OTEL_METRIC_EXPORT_INTERVAL || DEFAULT_INTERVAL_MS);
  return {
    url,
    headers: headersOf(env.OTEL_EXPORTER_OTLP_HEADERS ?? "") ?? {},
    intervalMs: Math.max(LEAST_INTERVAL_MS, interval),
  };
}

/** What is wrong with the variables; null: nothing. Never contains a value of a header. */
export function exportProblem(env: ExportBindings): string | null {
  for (const name of ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] as const) {
    const text = env[name];
    if (text && !/^https?:$/.test(URL.parse(text)?.protocol ?? ""))
      return `${name} is not an http(s) URL, such as https://collector.example.com:4318.`;
  }
  if (headersOf(env.OTEL_EXPORTER_OTLP_HEADERS ?? "") === null)
    return "OTEL_EXPORTER_OTLP_HEADERS is not NAME=VALUE,NAME=VALUE, with values percent-encoded.";
  const interval = env.OTEL_METRIC_EXPORT_INTERVAL;
  if (interval && !/^\d{1,9}$/.test(interval))
    return "OTEL_METRIC_EXPORT_INTERVAL is not a number of milliseconds, such as 60000.";
  return null;
}

/** Parses W3C baggage: names and percent-encoded values. Returns null if it is invalid. */
function headersOf(text: string): Record<string, string> | null {
  const headers: Record<string, string> = {};
  for (const pair of text.split(",")) {
    if (pair.trim() === "") continue;
    const at = pair.indexOf("=");
    const name = pair.slice(0, at).trim();
    if (at < 1 || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return null;
    try {
      headers[name] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {
      return null;
    }
  }
  return headers;
}
