/**
 * Telemetry with other programs' exporters and clients: OpenTelemetry's official SDK in Node.js and Bun, the
 * exporter built into Deno, and Trigger.dev's published client, which reads a trace.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { ApiClient } from "@trigger.dev/core/v3";
import { configure, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickhouseServer, startClickhouse } from "../../scripts/clickhouse/start.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";
import { outputOf } from "../support/runtimes.ts";

const TASKS = `
import { logger, task } from "@trigger.dev/sdk";
export const order = task({
  id: "order",
  run: async ({ n }: { n: number }) => {
    await logger.trace("check stock", async (span) => span.setAttribute("shelf", n));
    return inner.triggerAndWait({}).unwrap();
  },
});
export const inner = task({ id: "inner", run: async () => "done" });
`;

/** A service that triggers a run in a span, writes a line and counts. It prints the run's id. */
const SERVICE = `
import { metrics, SpanKind, trace } from "@opentelemetry/api";
const { API_URL, API_KEY, NAME } = process.env;
export const work = (log) =>
  trace.getTracer("shop").startActiveSpan("POST /orders", { kind: SpanKind.SERVER }, async (span) => {
    const { traceId, spanId } = span.spanContext();
    const headers = { authorization: "Bearer " + API_KEY, "content-type": "application/json", traceparent: "00-" + traceId + "-" + spanId + "-01" };
    const body = JSON.stringify({ payload: { n: 3 } });
    const response = await fetch(API_URL + "/api/v1/tasks/order/trigger", { method: "POST", headers, body });
    const { id } = await response.json();
    log("triggered by " + NAME);
    metrics.getMeter("shop").createCounter("orders." + NAME).add(3, { shop: "a" });
    console.log("RUN " + id);
    span.end();
  });
`;
/** OpenTelemetry's SDK, set up by its own environment variables. */
const OFFICIAL = `
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { work } from "./service.js";
const resource = resourceFromAttributes({ "service.name": process.env.OTEL_SERVICE_NAME });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const tracers = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor(new OTLPLogExporter())] });
const meters = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })] });
trace.setGlobalTracerProvider(tracers);
metrics.setGlobalMeterProvider(meters);
await work((body) => loggers.getLogger("shop").emit({ body, severityNumber: 9 }));
await Promise.all([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
`;
/** Deno has all of this built in, and sends the console as the log. */
const BUILT_IN = `
import process from "node:process";
globalThis.process = process;
const { work } = await import("./service.js");
await work((line) => console.log(line));
`;

let clickhouse: ClickhouseServer;
let client: ClickHouseClient;
let server: LocalServer;
let folder: string;
let api: ApiClient;
beforeAll(async () => {
  clickhouse = await startClickhouse();
  client = createClient({ url: clickhouse.url, database: "acme", log: { level: ClickHouseLogLevel.OFF } });
  server = await startLocalServer({ clickhouse: clickhouse.url, example: false });
  await deployTaskFile(server, TASKS);
  configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
  api = new ApiClient(server.apiUrl, server.secretKey);
  folder = mkdtempSync(join(tmpdir(), "acme-otel-"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  for (const [name, source] of Object.entries({ service: SERVICE, official: OFFICIAL, deno: BUILT_IN }))
    writeFileSync(join(folder, `${name}.js`), source);
}, 240_000);
afterAll(async () => {
  await server?.stop();
  await client?.close();
  await clickhouse?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

type Trace = Awaited<ReturnType<ApiClient["retrieveRunTrace"]>>["trace"];
type Node = Trace["rootSpan"];
const flat = (node: Node): Node[] => [node, ...(node.children ?? []).flatMap(flat)];

describe("exporters", () => {
  it.each([
    ["Node.js 24", "official.js", {}],
    ["Bun", "official.js", {}],
    ["Deno", "deno.js", { OTEL_DENO: "true" }],
  ] as const)("of %s send spans, log lines and metrics", async (runtime, file, env) => {
    const name = runtime.split(/\W/)[0]?.toLowerCase() as string;
    const output = await outputOf(runtime, folder, file, {
      ...env,
      API_URL: server.apiUrl,
      API_KEY: server.secretKey,
      NAME: name,
      OTEL_SERVICE_NAME: name,
      OTEL_EXPORTER_OTLP_ENDPOINT: `${server.apiUrl}/otel`,
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${server.secretKey}`,
    });
    const id = /^RUN (\S+)$/m.exec(output)?.[1] as string;
    expect(await runs.poll(id, { pollIntervalMs: 100 })).toMatchObject({ output: "done" });
    await eventually("the run is below the service's span", async () => {
      const { rootSpan } = (await api.retrieveRunTrace(id)).trace;
      const messages = flat(rootSpan).map(({ data }) => data.message);
      return (
        messages[0] === "POST /orders" &&
        ["order", "check stock", "inner"].every((message) => messages.includes(message))
      );
    });
    const stored = async <T>(query: string) => {
      const result = await client.query({ query, query_params: { name }, format: "JSONEachRow" });
      return (await result.json<T>())[0];
    };
    const line = await eventually("its line is there", () =>
      stored<{ trace_id: string; service: string }>(
        "SELECT trace_id, attributes['service.name'] AS service FROM logs WHERE message LIKE concat('triggered by ', {name:String}, '%')",
      ),
    );
    expect(line.service).toBe(name);
    const { trace } = await api.retrieveRunTrace(id);
    expect(line.trace_id).toBe(trace.traceId);
    const metric = await eventually("its metric is there", () =>
      stored<{ value: number; shop: string; kind: string }>(
        "SELECT value, kind, attributes['shop'] AS shop FROM metrics WHERE name = concat('orders.', {name:String})",
      ),
    );
    expect(metric).toMatchObject({ value: 3, shop: "a", kind: "sum" });
  });
});

describe("the published client", () => {
  it("reads a trace as a tree and in pages, its spans, and the events of a run", async () => {
    const { id } = await tasks.trigger("order", { n: 7 });
    await runs.poll(id, { pollIntervalMs: 100 });
    const trace = await eventually("all spans have arrived", async () => {
      const found = (await api.retrieveRunTrace(id)).trace;
      return flat(found.rootSpan).some(({ data }) => data.message === "check stock") && found;
    });
    const whole = flat(trace.rootSpan);
    const messages = whole.map(({ data }) => data.message);
    expect(messages.toSorted()).toEqual(
      ["order", "Attempt 1", "check stock", "inner", "inner", "Attempt 1"].toSorted(),
    );
    const paged: string[] = [];
    let after: string | undefined;
    do {
      const page = await api.retrieveRunTracePage(id, { limit: 2, ...(after ? { after } : {}) });
      expect(page.data.length).toBeLessThanOrEqual(2);
      paged.push(...page.data.map(({ id }) => id));
      after = page.pagination.next;
    } while (after !== undefined);
    expect(paged.toSorted()).toEqual(whole.map(({ id }) => id).toSorted());
    const checked = whole.find(({ data }) => data.message === "check stock") as Node;
    const span = await api.retrieveSpan(id, checked.id);
    expect(span).toMatchObject({ spanId: checked.id, message: "check stock", isError: false });
    expect(JSON.stringify(span)).toContain('"shelf":7');
    expect((await api.listRunEvents(id)).events.length).toBeGreaterThan(0);
  });
});
