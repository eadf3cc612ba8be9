import { exportProblem } from "../health/otlp/settings.ts";
import { Failure } from "../http/failure.ts";
import { parseClickHouseUrl } from "../telemetry/clickhouse/settings.ts";
import { parseTelemetryLimit } from "../telemetry/ingest-limit.ts";
import { parseRetention } from "../telemetry/retention-days.ts";
import { parsePrices } from "../views/run-cost.ts";
import { MIN_SECRET_LENGTH, parseSigningKeys, type SigningBindings } from "./signing.ts";

export interface SecretBindings extends SigningBindings {
  HOST_TOKEN?: string;
  ADMIN_TOKEN?: string;
  METRICS_TOKEN?: string;
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT?: string;
  OTEL_EXPORTER_OTLP_HEADERS?: string;
  OTEL_METRIC_EXPORT_INTERVAL?: string;
  MACHINE_PRICES?: string;
  CLICKHOUSE_URL?: string;
  TELEMETRY_RETENTION_DAYS?: string;
  TELEMETRY_RATE_LIMIT?: string;
}

/**
 * Returns what keeps the Worker from serving with this configuration; null if nothing does. Never contains a
 * secret.
 */
export function configurationProblem(env: SecretBindings): string | null {
  const problems: string[] = [];
  for (const name of ["HOST_TOKEN", "ADMIN_TOKEN"] as const) {
    const secret = env[name] ?? "";
    if (secret.length >= MIN_SECRET_LENGTH) continue;
    problems.push(
      secret === ""
        ? `${name} is missing or empty.`
        : `${name} has fewer than ${MIN_SECRET_LENGTH} characters.`,
    );
  }
  const keys = parseSigningKeys(env);
  if ("problem" in keys) problems.push(keys.problem);
  const prices = parsePrices(env.MACHINE_PRICES);
  if ("problem" in prices) problems.push(String(prices.problem));
  if (env.CLICKHOUSE_URL) {
    const address = parseClickHouseUrl(env.CLICKHOUSE_URL);
    if ("problem" in address) problems.push(address.problem);
  }
  const retention = parseRetention(env.TELEMETRY_RETENTION_DAYS);
  if ("problem" in retention) problems.push(retention.problem);
  if (parseTelemetryLimit(env.TELEMETRY_RATE_LIMIT) === undefined)
    problems.push("TELEMETRY_RATE_LIMIT is not BURST,PER_SECOND, such as 500000,20000.");
  const push = exportProblem(env);
  if (push !== null) problems.push(push);
  if (env.METRICS_TOKEN && env.METRICS_TOKEN.length < MIN_SECRET_LENGTH)
    problems.push(`METRICS_TOKEN has fewer than ${MIN_SECRET_LENGTH} characters.`);
  return problems.length === 0 ? null : problems.join(" ");
}

const problems = new WeakMap<object, string | null>();

/** @throws Failure if the secrets are incomplete: a server without them would accept anybody's signature */
export function requireConfiguration(env: SecretBindings): void {
  let problem = problems.get(env);
  if (problem === undefined) {
    problem = configurationProblem(env);
    problems.set(env, problem);
  }
  if (problem === null) return;
  throw new Failure(
    500,
    "server_misconfigured",
    `The server is not configured, so it answers no request. ${problem} Set secrets with \`wrangler secret put NAME\` (at least ${MIN_SECRET_LENGTH} random characters).`,
  );
}
