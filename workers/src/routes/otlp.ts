import { createHash } from "node:crypto";
import { log } from "@acme/durable-objects/lib/log";
import { TELEMETRY_LIMITS } from "@acme/sdk/contract";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { parseJson } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { readInflated } from "../http/inflate.ts";
import { appendTelemetry } from "../telemetry/append.ts";
import { takeTelemetry } from "../telemetry/ingest-limit.ts";
import { decode, LOGS, METRICS, TRACES } from "../telemetry/otlp/protobuf.ts";
import { logsOf, metricsOf, type Records, type Sender, spansOf } from "../telemetry/otlp/records.ts";
import { openTelemetryStore, type TelemetryBatch } from "../telemetry/store.ts";

const PROTOBUF = "application/x-protobuf";

/** Routes for OTLP over HTTP from any OpenTelemetry exporter: protobuf or JSON, compressed or not. */
export const otlpRoutes = new Hono<App>()
  .post("/otel/v1/traces", access("ingestTraces"), async (c) => {
    const { request, sender, number } = await requestOf(c, TRACES);
    const spans = spansOf(request, senderOf(c), Date.now());
    await store(c, { sender, number, spans: spans.records });
    return answer(c, spans, "rejectedSpans");
  })
  .post("/otel/v1/logs", access("ingestLogs"), async (c) => {
    const { request, sender, number } = await requestOf(c, LOGS);
    const logs = logsOf(request, senderOf(c), Date.now());
    if (openTelemetryStore(c.env).kind === "embedded") {
      const ofRuns = logs.records.filter(({ runId }) => runId !== null);
      if (ofRuns.length < logs.records.length) {
        logs.rejected += logs.records.length - ofRuns.length;
        logs.reason ||=
          "Log records that are of no run (attribute acme.run.id) need ClickHouse, which this server is not set up with";
        logs.records = ofRuns;
      }
    }
    await store(c, { sender, number, logs: logs.records });
    return answer(c, logs, "rejectedLogRecords");
  })
  .post("/otel/v1/metrics", access("ingestMetrics"), async (c) => {
    const { request, sender, number } = await requestOf(c, METRICS);
    const metrics = metricsOf(request, senderOf(c), Date.now());
    await store(c, { sender, number, metrics: metrics.records });
    return answer(c, metrics, "rejectedDataPoints");
  });

function senderOf(c: Context<App>): Sender {
  const { credential, environment } = c.var;
  return {
    environmentKey: environment.key,
    runId: credential.type === "run" ? credential.runId : null,
  };
}

const isProtobuf = (c: Context<App>): boolean =>
  typeOf(c) === PROTOBUF || typeOf(c) === "application/protobuf";

const typeOf = (c: Context<App>): string =>
  (c.req.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

/**
 * Returns the request in the form of OTLP's JSON. It is identified by its bytes: an exporter that got no
 * answer sends the same bytes again, and they are stored once.
 */
async function requestOf(c: Context<App>, message: Parameters<typeof decode>[1]) {
  const type = typeOf(c);
  if (!isProtobuf(c) && type !== "application/json")
    throw new Failure(
      415,
      "unsupported_type",
      `The content-type "${type.slice(0, 64)}" is not supported: send OTLP as ${PROTOBUF} or application/json.`,
    );
  const bytes = await readInflated(c.req.raw, {
    limit: TELEMETRY_LIMITS.otlpBytes,
    inflatedLimit: TELEMETRY_LIMITS.otlpInflatedBytes,
    what: "The OTLP request",
  });
  const sender = `otlp ${createHash("sha256").update(bytes).digest("hex")}`;
  if (!isProtobuf(c)) return { request: parseJson(bytes), sender, number: 1 };
  try {
    return { request: decode(bytes, message), sender, number: 1 };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(400, "invalid_protobuf", `The request body is no OTLP message: ${reason}`);
  }
}

async function store(
  c: Context<App>,
  batch: Pick<TelemetryBatch, "sender" | "number"> & Partial<TelemetryBatch>,
): Promise<void> {
  const whole = { spans: [], logs: [], metrics: [], ...batch };
  if (whole.spans.length + whole.logs.length + whole.metrics.length === 0) return;
  const waitMs = takeTelemetry(c.env, c.var.environment.key, whole);
  if (waitMs > 0) {
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    throw new Failure(
      429,
      "too_much_telemetry",
      `This environment sends more telemetry than it may: nothing of this request was stored. Send it again in ${seconds} s.`,
      { headers: { "retry-after": String(seconds) } },
    );
  }
  try {
    await appendTelemetry(c.env, c.var.environment.key, whole);
  } catch (error) {
    log.error("Telemetry could not be stored", { environment: c.var.environment.key, error });
    throw new Failure(
      503,
      "telemetry_not_stored",
      "The telemetry could not be stored now. Send the same request again: nothing is stored twice.",
      { headers: { "retry-after": "1" } },
    );
  }
}

/** Returns OTLP's response: an empty message, or the number of rejected records and the reason. */
function answer(c: Context<App>, { rejected, reason }: Records<unknown>, field: string): Response {
  if (!isProtobuf(c)) {
    const partialSuccess = { [field]: rejected, errorMessage: reason };
    return c.json(rejected === 0 ? {} : { partialSuccess });
  }
  const writer = new BinaryWriter();
  if (rejected > 0) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int64(rejected);
    writer.tag(2, WireType.LengthDelimited).string(reason);
    writer.join();
  }
  return c.body(Uint8Array.from(writer.finish()), 200, { "content-type": PROTOBUF });
}
