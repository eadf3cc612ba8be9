/**
 * One trace from a caller's HTTP server to the grandchild of a run, a long log, and what remains of both
 * after outages and kills.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type ApiClientConfiguration, auth, runs, tasks } from "@acme/sdk";
import { LiveClient, type LiveLogLine } from "@acme/sdk/live";
import { context, metrics as otelMetrics, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { type EffectsServer, startEffectsServer } from "../support/effects-server.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { logger, otel, step, task, wait } from "@acme/sdk";

export const grandchild = task({
  id: "grandchild",
  run: async () => otel.trace.getTracer("mine").startActiveSpan("own work", async (span) => {
    console.log("in the grandchild");
    otel.metrics.getMeter("mine").createCounter("orders", { unit: "1" }).add(2, { shop: "a" });
    span.end();
    return "done";
  }),
});

export const child = task({
  id: "child",
  run: async (_: unknown) => {
    await logger.trace("before", async () => {});
    await logger.trace("around the wait", async () => {
      await wait.for({ seconds: 10 });
    });
    await grandchild.triggerAndWait(undefined).unwrap();
    return "done";
  },
});

export const parent = task({
  id: "parent",
  retry: { maxAttempts: 2, minTimeoutInMs: 100, maxTimeoutInMs: 100 },
  run: async ({ url }: { url: string }, { ctx }) => {
    if (ctx.attempt.number === 1) throw new Error("the first attempt fails");
    await step("charge", async () => {
      await fetch(url + "/charged", { method: "POST" });
    });
    return child.triggerAndWait(undefined).unwrap();
  },
});

export const chatty = task({
  id: "chatty",
  run: async ({ lines, pauseEvery = 0 }: { lines: number; pauseEvery?: number }) => {
    for (let n = 0; n < lines; n++) {
      logger.info("line " + n, { n });
      if (pauseEvery > 0 && n % pauseEvery === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return lines;
  },
});
`;

interface Node {
  id: string;
  parentId?: string;
  runId: string;
  data: {
    message: string;
    kind: string;
    isPartial: boolean;
    isError: boolean;
    startTime: string;
    duration: number;
  };
  children: Node[];
}

let server: LocalServer;
let client: ApiClientConfiguration;
let effects: EffectsServer;
beforeAll(async () => {
  effects = await startEffectsServer();
  server = await startLocalServer({ example: false });
  client = { baseURL: server.apiUrl, accessToken: server.secretKey };
  await deployTaskFile(server, TASKS, { suspendAfter: 0 });
});
afterAll(async () => {
  await server.stop();
  await effects.close();
});

async function get<T>(path: string): Promise<T> {
  const response = await fetch(server.apiUrl + path, {
    headers: { authorization: `Bearer ${server.secretKey}` },
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

const flat = (node: Node): Node[] => [node, ...node.children.flatMap(flat)];
const linesOf = (node: Node, indent = ""): string[] => [
  `${indent}${node.data.kind} ${node.data.message}`,
  ...node.children.flatMap((child) => linesOf(child, `${indent}  `)),
];

const startOf = ({ data }: Node): number => Date.parse(data.startTime);
const endOf = (node: Node): number => startOf(node) + node.data.duration / 1e6;

/** Starts are shown in whole milliseconds. */
function expectWithin(child: Node, parent: Node): void {
  expect(startOf(child) + 1, `${child.data.message} begins in ${parent.data.message}`).toBeGreaterThanOrEqual(
    startOf(parent),
  );
  if (parent.data.kind === "service") return;
  expect(endOf(child) - 2, `${child.data.message} ends in ${parent.data.message}`).toBeLessThanOrEqual(
    endOf(parent),
  );
}

async function logOf(runId: string): Promise<{ seq: number; message: string }[]> {
  const all: { seq: number; message: string }[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: { logs: typeof all; next?: number } = await get(
      `/api/v1/runs/${runId}/logs?limit=5000&after=${after}`,
    );
    all.push(...page.logs);
    after = page.next;
  }
  return all;
}

/** A service with OpenTelemetry's SDK, whose exporter sends to Acme. It answers each request when it has triggered a run. */
async function startShop(): Promise<{ url: string; close(): Promise<void> }> {
  const headers = { authorization: `Bearer ${server.secretKey}` };
  const url = `${server.apiUrl}/otel/v1/traces`;
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "shop" }),
    spanProcessors: [
      new SimpleSpanProcessor(new JsonExporter({ url, headers })),
      new SimpleSpanProcessor(new ProtobufExporter({ url, headers })),
    ],
  });
  const contexts = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(contexts);
  trace.setGlobalTracerProvider(provider);
  const http = createServer((_, response) => {
    void trace.getTracer("http").startActiveSpan("POST /orders", { kind: SpanKind.SERVER }, async (span) => {
      const handle = await auth.withAuth(client, () => tasks.trigger("parent", { url: effects.url }));
      span.end();
      response.end(handle.id);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async close() {
      await provider.shutdown();
      trace.disable();
      context.disable();
      contexts.disable();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

describe("one trace", () => {
  it("reaches from a service's HTTP server to a grandchild, over retries and a suspended wait", async () => {
    const shop = await startShop();
    const runId = await (await fetch(shop.url, { method: "POST" })).text();
    await shop.close();
    await auth.withAuth(client, () => runs.poll(runId, { pollIntervalMs: 250 }));
    const tree = () => get<{ trace: { rootSpan: Node } }>(`/api/v1/runs/${runId}/trace`);
    const expected = [
      "service POST /orders",
      "  run parent",
      "    attempt Attempt 1",
      "    attempt Attempt 2",
      "      step charge",
      `        fetch POST ${new URL(effects.url).host}`,
      "      child child",
      "        run child",
      "          attempt Attempt 1",
      "            trace before",
      "            trace around the wait",
      expect.stringMatching(/^ {12}wait /),
      "            child grandchild",
      "              run grandchild",
      "                attempt Attempt 1",
      "                  custom own work",
    ];
    let root = (await tree()).trace.rootSpan;
    await eventually("all spans have arrived", async () => {
      root = (await tree()).trace.rootSpan;
      return linesOf(root).length >= expected.length && flat(root).every(({ data }) => !data.isPartial);
    });
    expect(linesOf(root)).toEqual(expected);
    const spans = flat(root);
    expect(new Set(spans.map(({ id }) => id)).size).toBe(spans.length);
    expect(spans.filter(({ data }) => data.isError).map(({ data }) => data.message)).toEqual(["Attempt 1"]);
    // Spans that were open across the suspension began before it.
    const wait = spans.find(({ data }) => data.kind === "wait");
    const around = spans.find(({ data }) => data.message === "around the wait");
    expect(Date.parse(around?.data.startTime ?? "")).toBeLessThanOrEqual(
      Date.parse(wait?.data.startTime ?? "") + 1,
    );
    expect(around?.data.duration).toBeGreaterThan(10_000_000_000);
    // Each span lies within its parent, except for the service's, which did not wait for the runs that it
    // triggered.
    for (const node of spans) for (const child of node.children) expectWithin(child, node);
    const grandchild = spans.find(({ data }) => data.message === "grandchild" && data.kind === "run");
    const { logs } = await get<{ logs: { message: string; spanId?: string }[] }>(
      `/api/v1/runs/${grandchild?.runId}/logs`,
    );
    const own = spans.find(({ data }) => data.message === "own work");
    expect(logs).toMatchObject([{ message: "in the grandchild", spanId: own?.id }]);
  });

  it("accepts metrics from a standard exporter", async () => {
    const exporter = new OTLPMetricExporter({
      url: `${server.apiUrl}/otel/v1/metrics`,
      headers: { authorization: `Bearer ${server.secretKey}` },
    });
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    provider.getMeter("shop").createHistogram("latency", { unit: "ms" }).record(12);
    await provider.forceFlush();
    await provider.shutdown();
    otelMetrics.disable();
  });
});

describe("the log of a run", () => {
  it("has all of 100,000 lines, in order, and each watcher sees each line once", async () => {
    const lines = 100_000;
    await auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("chatty", { lines });
      const live = new LiveClient({ baseURL: server.apiUrl, accessToken: server.secretKey });
      const seen: LiveLogLine[] = [];
      live.logs(id, (more) => void seen.push(...more));
      await runs.poll(id, { pollIntervalMs: 250 });
      await eventually("all lines are stored", async () => {
        const page = await get<{ logs: unknown[] }>(`/api/v1/runs/${id}/logs?after=${lines - 1}`);
        return page.logs.length === 1;
      });
      const log = await logOf(id);
      expect(log).toHaveLength(lines);
      const isLine = ({ seq, message }: { seq: number; message: string }, n: number) =>
        seq === n + 1 && message === `line ${n}`;
      expect(log.every(isLine)).toBe(true);
      await eventually("all lines were seen", () => seen.length >= lines);
      live.close();
      expect(seen).toHaveLength(lines);
      expect(seen.every(isLine)).toBe(true);
    });
  });

  it("loses nothing when the server is stopped for a while, and its host is killed meanwhile", async () => {
    const lines = 4_000;
    await auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("chatty", { lines, pauseEvery: 40 });
      await eventually("it writes", async () => (await logOf(id)).length > 0);
      // The Worker is stopped: the host receives lines, and nothing accepts them.
      server.kill("worker", "SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const host = server.pids().host;
      server.kill("host", "SIGKILL");
      await eventually("another host is there", async () => server.pids().host !== host);
      server.kill("worker", "SIGCONT");
      await runs.poll(id, { pollIntervalMs: 250 });
      await eventually("its last line is stored", async () =>
        (await logOf(id)).some(({ message }) => message === `line ${lines - 1}`),
      );
      const messages = (await logOf(id)).map(({ message }) => message);
      // The next host started the attempt again. Everything that the first host received is stored, from the
      // first line on.
      const again = messages.lastIndexOf("line 0");
      expect(again).toBeGreaterThan(0);
      expect(messages.slice(0, again)).toEqual(Array.from({ length: again }, (_, n) => `line ${n}`));
      expect(messages.slice(again)).toEqual(Array.from({ length: lines }, (_, n) => `line ${n}`));
    });
  });
});
