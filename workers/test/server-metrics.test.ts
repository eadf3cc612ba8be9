import { type IsolateVitals, Vitals } from "@acme/durable-objects/lib/vitals";
import { expect, it } from "vitest";
import { VitalsTotals } from "../src/health/monitor/totals.ts";
import { otlpOf } from "../src/health/otlp/push.ts";
import { exportProblem, exportSettings } from "../src/health/otlp/settings.ts";
import { prometheusText } from "../src/health/prometheus-text.ts";
import { ADMIN_TOKEN, call, METRICS_TOKEN, newProject } from "./client.ts";

it("escapes everything in labels that would end them", () => {
  const samples = [{ labels: { host: 'a"b\\c\nd' }, value: 1.5 }];
  expect(prometheusText([{ name: "acme_x", help: "One\nline.", type: "gauge", samples }])).toBe(
    '# HELP acme_x One\\nline.\n# TYPE acme_x gauge\nacme_x{host="a\\"b\\\\c\\nd"} 1.5\n',
  );
});

it("serves the server's metrics with the metrics token, without names of tenants", async () => {
  const project = await newProject();
  const { status, body, headers } = await call<string>("GET", "/metrics", METRICS_TOKEN);
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  for (const line of [
    'acme_up{part="objects"} 1',
    'acme_up{part="database"} 1',
    'acme_up{part="configuration"} 1',
    "# TYPE acme_worker_answers_total counter",
    "# TYPE acme_hosts gauge",
  ])
    expect(body).toContain(`${line}\n`);
  expect(body).toMatch(/^acme_worker_answers_total\{status="2xx"\} [1-9]/m);
  expect(body).toMatch(/^acme_runs_ended_5m\{status="failed"\} \d+$/m);
  expect(body).not.toContain(project.ref);
  for (const other of [project.prod, ADMIN_TOKEN])
    expect((await call("GET", "/metrics", other)).status).toBe(401);
});

it("shows figures of the objects as sums whose number does not grow with tenants", async () => {
  const project = await newProject();
  await call("POST", "/api/v1/tasks/counted/trigger", project.prod, {
    payload: 1,
    options: { queue: { name: "counted" } },
  });
  const { body } = await call<string>("GET", "/metrics", METRICS_TOKEN);
  const valueNamed = (name: string): number => Number(new RegExp(`^${name} (.*)$`, "m").exec(body)?.[1]);
  expect(valueNamed('acme_objects_awake\\{class="queue"\\}')).toBeGreaterThanOrEqual(1);
  expect(
    valueNamed("acme_queue_queued_runs") + valueNamed("acme_queue_executing_runs"),
  ).toBeGreaterThanOrEqual(0);
  expect(valueNamed("acme_isolates")).toBe(1);
  for (const [, line] of body.matchAll(/^(acme_\w+\{[^}]*\})/gm))
    expect(line).toMatch(/^acme_\w+\{(part|status|class|host)="[\w-]+"\}$/);
});

it("adds up objects while they are awake, and counts a repeated report once", () => {
  const own = new Vitals();
  own.note("queue", "a", { queued: 3, executing: 1, prefetched_permits: 0, unsent_versions: 0 }, 1_000);
  own.note("queue", "b", { queued: 4, executing: 0, prefetched_permits: 2, unsent_versions: 1 }, 50_000);
  expect(own.isDue("queue", "b", 50_500)).toBe(false);
  expect(own.isDue("queue", "b", 51_000)).toBe(true);
  own.count("alarms", 2);
  own.alarmFired(10_000, 12_500);
  expect(own.read(60_000)).toEqual({
    kinds: {
      queue: {
        objects: 2,
        sums: { queued: 7, executing: 1, prefetched_permits: 2, unsent_versions: 1 },
        largest: { queued: 4, executing: 1, prefetched_permits: 2, unsent_versions: 1 },
      },
    },
    sockets: 0,
    counters: { alarms: 3, late_alarms: 1, alarm_delay_ms: 2_500 },
  });
  expect(own.read(62_000).kinds.queue?.sums.queued).toBe(4);

  const totals = new VitalsTotals({ alarms: 100 });
  const of = (alarms: number, sockets = 0): IsolateVitals => ({ kinds: {}, sockets, counters: { alarms } });
  expect(totals.add({ isolate: "a", seq: 1, vitals: of(5, 2) }, 0)).toBe(true);
  expect(totals.add({ isolate: "a", seq: 1, vitals: of(5, 2) }, 0)).toBe(false);
  totals.add({ isolate: "a", seq: 2, vitals: of(8, 1) }, 10_000);
  totals.add({ isolate: "b", seq: 1, vitals: of(1, 7) }, 10_000);
  expect(totals.read(10_000, 0)).toMatchObject({ isolates: 2, sockets: 8, counters: { alarms: 109 } });
  expect(totals.read(60_000, 0)).toMatchObject({ isolates: 0, sockets: 0, counters: { alarms: 109 } });
});

it("reads the push settings from OpenTelemetry's variables, and reports errors without their values", () => {
  expect(exportSettings({})).toBe(null);
  expect(
    exportSettings({
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example.com/otlp/",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20abc%3D,x-scope=acme",
      OTEL_METRIC_EXPORT_INTERVAL: "5000",
    }),
  ).toEqual({
    url: "https://collector.example.com/otlp/v1/metrics",
    headers: { authorization: "Basic abc=", "x-scope": "acme" },
    intervalMs: 5_000,
  });
  for (const wrong of [
    { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" },
    { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "secret" },
    { OTEL_EXPORTER_OTLP_HEADERS: "secret" },
    { OTEL_EXPORTER_OTLP_HEADERS: "authorization=%secret" },
    { OTEL_METRIC_EXPORT_INTERVAL: "secret" },
  ]) {
    expect(exportProblem(wrong)).toMatch(/^OTEL_\w+ is (no|not) /);
    expect(exportProblem(wrong)).not.toContain("secret");
    expect(exportSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://example.com", ...wrong })).toBe(null);
  }
});

it("writes OTLP as collectors read it", () => {
  const metrics = [
    {
      name: "acme_up",
      help: "Up.",
      type: "gauge" as const,
      samples: [{ labels: { part: "objects" }, value: 1 }],
    },
    { name: "acme_alarms_total", help: "Alarms.", type: "counter" as const, samples: [{ value: 7 }] },
  ];
  expect(otlpOf(metrics, 1_000, 2_000).resourceMetrics[0]?.scopeMetrics[0]?.metrics).toEqual([
    {
      name: "acme_up",
      description: "Up.",
      gauge: {
        dataPoints: [
          {
            attributes: [{ key: "part", value: { stringValue: "objects" } }],
            timeUnixNano: "2000000000",
            asDouble: 1,
          },
        ],
      },
    },
    {
      name: "acme_alarms_total",
      description: "Alarms.",
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [
          { attributes: [], startTimeUnixNano: "1000000000", timeUnixNano: "2000000000", asDouble: 7 },
        ],
      },
    },
  ]);
});
