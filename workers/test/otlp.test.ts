import { env, exports } from "cloudflare:workers";
import { spanIdOfAttempt, traceIdOfRun } from "@acme/sdk/contract";
import type { RunLogsResponse, SpanResponse } from "@acme/sdk/contract/api";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { call, deploy, newProject, type Project } from "./client.ts";
import { runTokenOf, start } from "./host.ts";

let project: Project;
let runId: string;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["send"]);
  const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/send/trigger", project.prod, {});
  runId = body.id;
  await start(runId);
});

async function post(
  signal: string,
  body: BodyInit,
  type = "application/json",
  headers: Record<string, string> = {},
  key = project.prod,
): Promise<{ status: number; body: Record<string, unknown>; bytes: Uint8Array }> {
  const response = await exports.default.fetch(`http://acme.test/otel/v1/${signal}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": type, ...headers },
    body,
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  return {
    status: response.status,
    body: isJson ? (JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>) : {},
    bytes,
  };
}

const NANOS = `${Date.now()}000000`;
const spanJson = (fields: object = {}) => ({
  traceId: traceIdOfRun(runId, null),
  spanId: "00f067aa0ba902b7",
  parentSpanId: spanIdOfAttempt(runId, 1),
  name: "SELECT orders",
  kind: 3,
  startTimeUnixNano: NANOS,
  endTimeUnixNano: NANOS,
  attributes: [
    { key: "acme.run.id", value: { stringValue: runId } },
    { key: "db.system", value: { stringValue: "postgresql" } },
    { key: "rows", value: { intValue: "12" } },
    { key: "tags", value: { arrayValue: { values: [{ stringValue: "a" }, { stringValue: "b" }] } } },
  ],
  status: { code: 2, message: "timeout" },
  ...fields,
});
const traces = (...spans: object[]) =>
  JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
        scopeSpans: [{ scope: { name: "pg" }, spans }],
      },
    ],
  });

const gzip = async (bytes: string | Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> =>
  new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();

const spanOf = async (id: string) =>
  (await call<SpanResponse>("GET", `/api/v1/runs/${runId}/spans/${id}`, project.prod)).body;

/** A request with one span, written by hand as protobuf. */
function protobufSpan(spanId: string, name: string): Uint8Array<ArrayBuffer> {
  const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).bytes(bytes(traceIdOfRun(runId, null)));
  writer.tag(2, WireType.LengthDelimited).bytes(bytes(spanId));
  writer.tag(4, WireType.LengthDelimited).bytes(bytes(spanIdOfAttempt(runId, 1)));
  writer.tag(5, WireType.LengthDelimited).string(name);
  writer.tag(7, WireType.Bit64).fixed64(NANOS);
  writer.tag(8, WireType.Bit64).fixed64(NANOS);
  writer.tag(9, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string("rows");
  writer.tag(2, WireType.LengthDelimited).fork().tag(3, WireType.Varint).int64(7).join();
  writer.join().join().join().join();
  return Uint8Array.from(writer.finish());
}

const seed = Number(env.FUZZ_SEED);

describe("OTLP", () => {
  it("accepts spans in JSON, below the run to which they belong", async () => {
    expect(await post("traces", traces(spanJson()))).toMatchObject({ status: 200, body: {} });
    expect(await spanOf("00f067aa0ba902b7")).toMatchObject({
      message: "SELECT orders",
      runId,
      isError: true,
      error: "timeout",
      parentId: spanIdOfAttempt(runId, 1),
      properties: {
        "db.system": "postgresql",
        rows: 12,
        tags: ["a", "b"],
        "service.name": "shop",
        "otel.scope.name": "pg",
      },
    });
  });

  it("accepts spans in protobuf, compressed or not, and answers in protobuf", async () => {
    const plain = await post("traces", protobufSpan("00f067aa0ba902b8", "plain"), "application/x-protobuf");
    expect(plain).toMatchObject({ status: 200, bytes: new Uint8Array() });
    const compressed = await gzip(protobufSpan("00f067aa0ba902b9", "compressed"));
    expect(
      await post("traces", compressed, "application/x-protobuf", { "content-encoding": "gzip" }),
    ).toMatchObject({ status: 200 });
    expect(await spanOf("00f067aa0ba902b8")).toMatchObject({ message: "plain", properties: { rows: 7 } });
    expect(await spanOf("00f067aa0ba902b9")).toMatchObject({ message: "compressed" });
  });

  it("accepts the valid records of a request, and says how many are not valid", async () => {
    const answer = await post(
      "traces",
      traces(spanJson({ spanId: "00f067aa0ba902ba" }), spanJson({ spanId: "00" }), {}),
    );
    expect(answer).toMatchObject({ status: 200, body: { partialSuccess: { rejectedSpans: 2 } } });
    expect(await spanOf("00f067aa0ba902ba")).toMatchObject({ message: "SELECT orders" });
  });

  it("stores log records of a run once, and refuses those of no run while there is no store for them", async () => {
    const log = (message: string, attributes: object[]) => ({
      timeUnixNano: NANOS,
      severityNumber: 17,
      body: { stringValue: message },
      attributes,
    });
    const body = JSON.stringify({
      resourceLogs: [
        {
          scopeLogs: [
            {
              logRecords: [
                log("of the run", [{ key: "acme.run.id", value: { stringValue: runId } }]),
                log("of none", []),
              ],
            },
          ],
        },
      ],
    });
    for (let time = 0; time < 2; time++)
      expect(await post("logs", body)).toMatchObject({
        status: 200,
        body: { partialSuccess: { rejectedLogRecords: 1 } },
      });
    const { body: page } = await call<z.infer<typeof RunLogsResponse>>(
      "GET",
      `/api/v1/runs/${runId}/logs?level=error`,
      project.prod,
    );
    expect(page.logs.map(({ message, level }) => [message, level])).toEqual([["of the run", "error"]]);
  });

  it("accepts a run's token, which is valid for that run only", async () => {
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/send/trigger", project.prod, {});
    await start(body.id);
    const log = {
      timeUnixNano: NANOS,
      body: { stringValue: "by token" },
      attributes: [{ key: "acme.run.id", value: { stringValue: runId } }],
    };
    const request = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] });
    const token = runTokenOf(body.id);
    expect((await post("logs", request, "application/json", {}, token)).status).toBe(200);
    const logsOf = async (id: string) =>
      (await call<z.infer<typeof RunLogsResponse>>("GET", `/api/v1/runs/${id}/logs?text=by`, project.prod))
        .body.logs;
    expect(await logsOf(body.id)).toHaveLength(1);
    expect(await logsOf(runId)).toHaveLength(0);
    const other = await newProject();
    await post("logs", request.replace("by token", "by another"), "application/json", {}, other.prod);
    expect(await logsOf(runId)).toHaveLength(0);
  });

  it("takes metrics", async () => {
    const dataPoints = [
      { timeUnixNano: NANOS, asInt: "4" },
      { timeUnixNano: NANOS, asDouble: "NaN" },
    ];
    const body = JSON.stringify({
      resourceMetrics: [
        { scopeMetrics: [{ metrics: [{ name: "orders", unit: "1", sum: { dataPoints } }] }] },
      ],
    });
    expect(await post("metrics", body)).toMatchObject({
      status: 200,
      body: { partialSuccess: { rejectedDataPoints: 1 } },
    });
  });

  it("refuses what it cannot read, with a status that says so", async () => {
    expect((await post("traces", "{}", "text/plain")).status).toBe(415);
    expect((await post("traces", "{}", "application/json", { "content-encoding": "zstd" })).status).toBe(415);
    expect((await post("traces", "{", "application/json")).status).toBe(400);
    const whole = await gzip(traces(spanJson()));
    const cut = whole.slice(0, whole.byteLength - 12);
    expect((await post("traces", cut, "application/json", { "content-encoding": "gzip" })).status).toBe(400);
    const bomb = await gzip(new Uint8Array(40 * 1024 * 1024));
    expect((await post("traces", bomb, "application/json", { "content-encoding": "gzip" })).status).toBe(413);
    expect((await post("traces", new Uint8Array(33 * 1024 * 1024), "application/x-protobuf")).status).toBe(
      413,
    );
    expect((await post("traces", "{}", "application/json", {}, "tr_prod_nobody")).status).toBe(401);
  });

  it(`never answers 500, whatever is sent, and does not disturb other environments (FUZZ_SEED=${seed})`, async () => {
    const good = protobufSpan("00f067aa0ba902bb", "fuzzed");
    const statuses = new Set<number>();
    const send = async (signal: string, body: BodyInit, type: string) => {
      const { status } = await post(signal, body, type);
      statuses.add(status);
      expect(status).toBeLessThan(500);
    };
    const signal = fc.constantFrom("traces", "logs", "metrics");
    await fc.assert(
      fc.asyncProperty(
        signal,
        fc.nat(good.length),
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        async (path, length, changes) => {
          const bytes = Uint8Array.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          await send(path, bytes.slice(0, length), "application/x-protobuf");
        },
      ),
      { seed, numRuns: 150 },
    );
    await fc.assert(
      fc.asyncProperty(signal, fc.uint8Array({ maxLength: 200 }), async (path, bytes) => {
        await send(path, Uint8Array.from(bytes), "application/x-protobuf");
      }),
      { seed, numRuns: 100 },
    );
    const keys = fc.constantFrom(
      "resourceSpans",
      "scopeSpans",
      "spans",
      "resourceLogs",
      "scopeLogs",
      "logRecords",
      "resourceMetrics",
      "scopeMetrics",
      "metrics",
      "attributes",
      "key",
      "value",
      "body",
      "stringValue",
      "arrayValue",
      "values",
      "kvlistValue",
      "traceId",
      "spanId",
      "events",
      "links",
      "status",
      "code",
      "startTimeUnixNano",
      "gauge",
      "sum",
      "histogram",
      "dataPoints",
    );
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 7 },
        fc.jsonValue(),
        fc.dictionary(keys, tie("json"), { maxKeys: 4 }),
        fc.array(tie("json"), { maxLength: 3 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(signal, json, async (path, value) => {
        await send(path, JSON.stringify(value), "application/json");
      }),
      { seed, numRuns: 200 },
    );
    const deep = (open: string, close: string, inner: string) =>
      open.repeat(5_000) + inner + close.repeat(5_000);
    const any = deep('{"arrayValue":{"values":[', "]}}", '{"stringValue":"x"}');
    await send(
      "traces",
      `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${"a".repeat(32)}","spanId":"${"b".repeat(16)}","attributes":[{"key":"k","value":${any}}]}]}]}]}`,
      "application/json",
    );
    await send("traces", deep("[", "]", ""), "application/json");
    const nested = new BinaryWriter();
    for (let depth = 0; depth < 500; depth++) nested.tag(1, WireType.LengthDelimited).fork();
    for (let depth = 0; depth < 500; depth++) nested.join();
    await send("traces", Uint8Array.from(nested.finish()), "application/x-protobuf");
    // Compressed data that is truncated or damaged, and long values where short ones are expected.
    const packed = new Uint8Array(await gzip(traces(spanJson())));
    await fc.assert(
      fc.asyncProperty(
        signal,
        fc.nat(packed.length),
        fc.tuple(fc.nat(packed.length - 1), fc.nat(255)),
        async (path, length, [at, value]) => {
          const bytes = Uint8Array.from(packed);
          bytes[at] = value;
          const { status } = await post(path, bytes.slice(0, length), "application/json", {
            "content-encoding": "gzip",
          });
          statuses.add(status);
          expect(status).toBeLessThan(500);
        },
      ),
      { seed, numRuns: 60 },
    );
    const long = "x".repeat(1024 * 1024);
    const many = Array.from({ length: 20_000 }, (_, n) => ({ key: `k${n}`, value: { intValue: String(n) } }));
    for (const span of [
      { ...spanJson(), name: long },
      { ...spanJson(), traceId: long },
      { ...spanJson(), spanId: long },
      { ...spanJson(), startTimeUnixNano: "9".repeat(10_000) },
      { ...spanJson(), startTimeUnixNano: -1, endTimeUnixNano: 1e308 },
      { ...spanJson(), attributes: many },
      { ...spanJson(), attributes: [{ key: long, value: { stringValue: long } }] },
      { ...spanJson(), events: Array.from({ length: 20_000 }, () => ({ name: "e", timeUnixNano: NANOS })) },
    ])
      await send("traces", traces(span), "application/json");
    expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 400]));

    // The same environment and others are served as before: valid records are stored, and stored ones can be
    // read.
    const after = "00f067aa0ba90fff";
    expect((await post("traces", protobufSpan(after, "after"), "application/x-protobuf")).status).toBe(200);
    expect(await spanOf(after)).toMatchObject({ spanId: after });
    for (const path of ["trace", "events", "logs"])
      expect((await call("GET", `/api/v1/runs/${runId}/${path}`, project.prod)).status).toBe(200);
    const other = await newProject();
    const run = await call<{ id: string }>("POST", "/api/v1/tasks/undisturbed/trigger", other.prod, {
      payload: 1,
    });
    expect(run.status).toBe(200);
    expect((await call("GET", `/api/v3/runs/${run.body.id}`, other.prod)).status).toBe(200);
  });
});
