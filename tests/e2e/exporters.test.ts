/** `telemetry` of the configuration file: instrumentations record in a run's trace, and exporters get spans, log lines and metrics. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildProject, deployProject, projectApi } from "@acme/cli";
import { auth, runs, tasks } from "@acme/sdk";
import { parseRunId } from "@acme/sdk/contract";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decode, LOGS, METRICS } from "../../workers/src/telemetry/otlp/protobuf.ts";
import { logsOf, metricsOf, spansOf } from "../../workers/src/telemetry/otlp/records.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";

const config = (project: string, url: string): string => `
import { defineConfig } from "@acme/sdk";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";

/** Records with the provider that it is given, as instrumentations do. */
class Patching {
  instrumentationName = "patching";
  setTracerProvider(provider) {
    globalThis.patched = () => provider.getTracer("patching").startSpan("patched call").end();
  }
}
/** An exporter that fails and writes output. */
const failing = { export(_, done) { console.log("an exporter's line"); done({ code: 1, error: new Error("refused") }); } };

/** As in the documentation of Trigger.dev. */
const redacting = {
  onStart() {},
  onEnding(span) {
    for (const [name, value] of Object.entries(span.attributes))
      if (typeof value === "string") span.attributes[name] = value.replace(/[\\w.]+@[\\w.]+/g, "[email]");
  },
  onEnd() {},
  async forceFlush() {},
  async shutdown() {},
};

export default defineConfig({
  project: ${JSON.stringify(project)},
  telemetry: {
    instrumentations: [new Patching()],
    spanProcessors: [redacting],
    exporters: [failing, new OTLPTraceExporter({ url: "${url}/traces" })],
    logExporters: [failing, new OTLPLogExporter({ url: "${url}/logs" })],
    metricExporters: [new OTLPMetricExporter({ url: "${url}/metrics" })],
    metricReaders: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: "${url}/read" }) })],
    resource: resourceFromAttributes({ "service.name": "jobs" }),
  },
});
`;

const TASKS = `
import { logger, otel, task } from "@acme/sdk";
export const work = task({
  id: "work",
  run: async () => otel.trace.getTracer("mine").startActiveSpan("own work", async (span) => {
    span.setAttribute("asked by", "ada@example.com");
    logger.warn("half full", { level: 5, tags: ["a"] });
    console.log("from the console");
    const meter = otel.metrics.getMeter("mine");
    meter.createCounter("orders", { unit: "1" }).add(2, { shop: "a" });
    meter.createHistogram("latency", { unit: "ms", advice: { explicitBucketBoundaries: [10, 100] } }).record(12);
    globalThis.patched();
    span.end();
  }),
});
`;

/** Everything that exporters have sent. */
class Collector {
  readonly #bodies: { path: string | undefined; body: Buffer }[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        this.#bodies.push({ path: request.url, body: Buffer.concat(parts) });
        response.end();
      });
    });
  }

  /** As the server receives them for an environment. */
  received(environmentKey: string) {
    const of = (path: string) => this.#bodies.filter((each) => each.path === path).map(({ body }) => body);
    const sender = { environmentKey, runId: null };
    const now = Date.now();
    const metrics = (path: string) =>
      of(path).flatMap((body) => metricsOf(decode(body, METRICS), sender, now).records);
    return {
      spans: of("/traces").flatMap((body) => spansOf(JSON.parse(body.toString()), sender, now).records),
      logs: of("/logs").flatMap((body) => logsOf(decode(body, LOGS), sender, now).records),
      metrics: metrics("/metrics"),
      read: metrics("/read"),
    };
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const collector = new Collector();
let server: LocalServer;
let folder: string;
beforeAll(async () => {
  const url = await collector.listen();
  server = await startLocalServer({ example: false });
  folder = mkdtempSync(join(tmpdir(), "acme-exporters-"));
  mkdirSync(join(folder, "trigger"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "acme.config.ts"), config(server.projectRef, url));
  writeFileSync(join(folder, "trigger/tasks.ts"), TASKS);
  await deployProject(projectApi(server, server.projectRef, "prod"), await buildProject(folder), true);
});
afterAll(async () => {
  await server?.stop();
  collector.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

it("gets what runs record, in addition to Acme", async () => {
  const api = { baseURL: server.apiUrl, accessToken: server.secretKey };
  const id = await auth.withAuth(api, async () => {
    const handle = await tasks.trigger("work", undefined);
    expect(await runs.poll(handle, { pollIntervalMs: 100 })).toMatchObject({ status: "COMPLETED" });
    return handle.id;
  });
  const { spans, logs, metrics, read } = await eventually("all of it was exported", () => {
    const all = collector.received(parseRunId(id)?.environmentKey ?? "");
    const counts = [all.spans, all.logs, all.metrics, all.read].map(({ length }) => length);
    return counts.join() === "3,2,2,2" && all;
  });
  const of = { runId: id, attempt: 1 };
  const span = (name: string) => spans.find((each) => each.name === name);
  const [attempt, own, patched] = ["Attempt 1", "own work", "patched call"].map(span);
  for (const each of [attempt, own, patched]) expect(each).toMatchObject({ service: "jobs", ...of });
  expect(own).toMatchObject({ parentSpanId: attempt?.spanId, traceId: attempt?.traceId });
  expect(patched?.parentSpanId).toBe(own?.spanId);
  expect(own?.attributes["asked by"]).toBe("[email]");
  const within = { traceId: own?.traceId, spanId: own?.spanId };
  expect(logs).toMatchObject([
    {
      level: "warn",
      message: "half full",
      properties: { level: 5, "service.name": "jobs" },
      ...within,
      ...of,
    },
    { message: "from the console", ...within, ...of },
  ]);
  for (const points of [metrics, read])
    expect(points.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
      {
        name: "latency",
        kind: "histogram",
        unit: "ms",
        buckets: { bounds: [10, 100], counts: [0, 1, 0] },
        ...of,
      },
      { name: "orders", kind: "sum", unit: "1", value: 2, attributes: { shop: "a" }, ...of },
    ]);
  const trace = await fetch(`${server.apiUrl}/api/v1/runs/${id}/trace`, {
    headers: { authorization: `Bearer ${server.secretKey}` },
  });
  const shown = await trace.text();
  expect(shown).toContain("[email]");
  expect(shown).not.toContain("ada@example.com");
  // Output of exporters is not part of the run, which still has its own lines.
  const response = await fetch(`${server.apiUrl}/api/v1/runs/${id}/logs`, {
    headers: { authorization: `Bearer ${server.secretKey}` },
  });
  expect(await response.json()).toMatchObject({
    logs: [{ message: "half full" }, { message: "from the console" }],
  });
});
