import { log } from "@acme/durable-objects/lib/log";
import type { Bindings } from "../bindings.ts";
import { dispatcherObject } from "../objects.ts";
import { openSql } from "../storage/sql-connection.ts";
import { healthOf } from "./health.ts";
import type { PlatformVitals } from "./monitor/rpc.ts";
import type { Metric } from "./prometheus-text.ts";
import { runCounts } from "./run-counts.ts";
import { vitalMetrics } from "./vital-metrics.ts";

/** Those that are always there, where they are needed at all. */
const PARTS = ["worker", "objects", "database", "configuration", "blobs", "clickhouse"] as const;

/**
 * Collects the server's metrics, without names of tenants. Parts that do not answer are reported as down, and
 * their metrics are left out.
 */
export async function serverMetrics(
  env: Bindings,
  now: number,
  vitals: PlatformVitals | null,
): Promise<Metric[]> {
  const [health, hosts, runs] = await Promise.all([
    healthOf(env),
    orNothing(() => hostMetrics(env, now)),
    orNothing(() => runMetrics(env, now)),
  ]);
  const parts = PARTS.filter((part) => part in health);
  return [
    {
      name: "acme_up",
      help: "Whether a part of the server answers.",
      type: "gauge",
      samples: parts.map((part) => ({ labels: { part }, value: Number(health[part] === "ok") })),
    },
    ...hosts,
    ...runs,
    ...(vitals ? vitalMetrics(vitals) : []),
  ];
}

async function orNothing(read: () => Promise<Metric[]>): Promise<Metric[]> {
  try {
    return await read();
  } catch (error) {
    log.error("A part of the server's metrics could not be read", { error });
    return [];
  }
}

async function hostMetrics(env: Bindings, now: number): Promise<Metric[]> {
  const hosts = await dispatcherObject(env).hosts();
  return [
    {
      name: "acme_hosts",
      help: "Container hosts that are connected.",
      type: "gauge",
      samples: [{ value: hosts.length }],
    },
    {
      name: "acme_host_seen_seconds",
      help: "Time since the last contact with a connected container host.",
      type: "gauge",
      samples: hosts.map(({ hostId, lastSeenAt }) => ({
        labels: { host: hostId },
        value: Math.max(0, (now - lastSeenAt) / 1_000),
      })),
    },
  ];
}

async function runMetrics(env: Bindings, now: number): Promise<Metric[]> {
  const row = await runCounts(openSql(env), now);
  if (!row) return [];
  const gauge = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    type: "gauge",
    samples: [{ value }],
  });
  return [
    gauge("acme_runs_created_5m", "Runs that were triggered in the last five whole minutes.", row.created),
    gauge("acme_runs_started_5m", "Runs that started in the last five whole minutes.", row.started),
    {
      name: "acme_runs_ended_5m",
      help: "Runs that ended in the last five whole minutes, by outcome.",
      type: "gauge",
      samples: Object.entries(row.ended).map(([status, value]) => ({
        labels: { status },
        value: Number(value),
      })),
    },
    gauge(
      "acme_compute_seconds_5m",
      "Seconds on machines, of runs that ended in that time.",
      row.usageMs / 1_000,
    ),
  ];
}
