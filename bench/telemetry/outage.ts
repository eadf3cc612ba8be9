/**
 * A ClickHouse outage under load: `node bench/telemetry/outage.ts [--rate N] [--before S] [--outage S]`. The
 * real one-machine server with the engine of the tests; runs are triggered at a fixed rate, and a host that
 * executes nothing finishes them. Each has three log lines and a span, which go through the container host's
 * own buffer on disk and sender. ClickHouse is stopped, and started again.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { HOST_PROTOCOL, hostOfCredential, spanIdOfRun, traceIdOfRun } from "@acme/sdk/contract";
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { reportBody, WorkerApi } from "../../container-host/src/api.ts";
import { Session } from "../../container-host/src/session.ts";
import { type Counts, DiskBuffer } from "../../container-host/src/telemetry/disk-buffer.ts";
import { TelemetrySender } from "../../container-host/src/telemetry/telemetry-sender.ts";
import { startClickhouse } from "../../scripts/clickhouse/start.ts";
import { startLocalServer } from "../../tests/support/local-server.ts";
import { Place } from "../scale/place.ts";
import { p50p99 } from "../statistics.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "200" },
    before: { type: "string", default: "15" },
    outage: { type: "string", default: "60" },
  },
});
const RATE = Number(values.rate);
const TICK_MS = 50;
/** The hosts' default. */
const BUFFER_BYTES = 256 * 1024 * 1024;
const PATIENCE_MS = 240_000;
const LINES = 3;

const data = mkdtempSync(join(tmpdir(), "acme-outage-"));
let clickhouse = await startClickhouse({ data: join(data, "clickhouse") });
const server = await startLocalServer({ clickhouse: clickhouse.url, example: false });
process.kill(server.pids().host, "SIGSTOP");

const credential = readFileSync(join(server.dataDir, "host/host-credential"), "utf8").trim();
const session = new Session(hostOfCredential(credential) ?? "");
const api = new WorkerApi(server.apiUrl, "", credential);
const dropped: Counts = { logs: 0, spans: 0, metrics: 0 };
const onDropped = ({ logs, spans, metrics }: Counts): void => {
  dropped.logs += logs;
  dropped.spans += spans;
  dropped.metrics += metrics;
};
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error };
const buffer = new DiskBuffer({ folder: join(data, "buffer"), maxBytes: BUFFER_BYTES, log, onDropped });
const sender = new TelemetrySender({ api, session, log, buffer, onDropped });

/** Repeats a request that had no answer, as a host does. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (tries === 10) throw error;
      await delay(500);
    }
  }
}

let isOver = false;
let finished = 0;
let mostBytes = 0;
const work = async (): Promise<void> => {
  const head: { protocol: typeof HOST_PROTOCOL; hostId: string; sessionId: string } = {
    protocol: HOST_PROTOCOL,
    hostId: session.hostId,
    sessionId: session.sessionId,
  };
  while (!isOver) {
    const { runs } = await answered(() => api.dequeue({ ...head, max: 100, waitMs: 500 }));
    if (runs.length === 0) continue;
    const at = Date.now();
    for (const { runId, attempt, apiToken, traceparent } of runs) {
      const entries = Array.from({ length: LINES }, (_, n) => ({
        time: at,
        level: "info" as const,
        message: `line ${n} of the run`,
        properties: { n },
      }));
      const traceId = traceIdOfRun(runId, traceparent);
      const span = {
        traceId,
        spanId: runId.slice(-16).replace(/[^0-9a-f]/g, "0"),
        parentSpanId: spanIdOfRun(runId),
        runId,
        attempt,
        service: null,
        name: "work",
        kind: "internal" as const,
        startTime: at,
        endTime: at,
        status: "ok" as const,
        attributes: { "acme.kind": "custom" },
        events: [],
        links: [],
      };
      sender.add({ runId, attempt, apiToken }, { entries, spans: [span] });
    }
    mostBytes = Math.max(mostBytes, buffer.bytes);
    const outcome = { type: "success" as const, output: "1", outputType: "application/json" };
    const leases = runs.map(({ runId, token }) => ({ runId, token }));
    const { completed } = await answered(() =>
      api.report(
        reportBody({
          ...head,
          started: leases.map((lease) => ({ ...lease, startedAt: at })),
          completed: leases.map((lease) => ({ ...lease, startedAt: at, completedAt: at, outcome })),
          heartbeats: [],
          logs: [],
        }),
      ),
    );
    finished += completed.filter((verdict) => verdict === "ok").length;
  }
};

interface Phase {
  name: string;
  latencies: number[];
  finished: number;
}

async function rateFor(name: string, place: Place, seconds: number): Promise<Phase> {
  const latencies: number[] = [];
  const before = finished;
  const pending: Promise<unknown>[] = [];
  const started = performance.now();
  for (let sent = 0; sent < RATE * seconds; ) {
    const due = Math.min(RATE * seconds, Math.floor(((performance.now() - started) * RATE) / 1_000) + 1);
    for (; sent < due; sent++) {
      const begun = performance.now();
      pending.push(place.trigger().then(() => latencies.push(performance.now() - begun)));
    }
    await delay(TICK_MS);
  }
  await Promise.all(pending);
  const took = (performance.now() - started) / 1_000;
  const phase = { name, latencies, finished: finished - before };
  const { p50, p99 } = p50p99(latencies);
  console.log(
    `${name}: ${latencies.length} triggers in ${took.toFixed(0)} s, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms; ${phase.finished} runs finished`,
  );
  return phase;
}

const count = async (client: ClickHouseClient, query: string): Promise<number> => {
  const result = await client.query({ query, format: "TabSeparated" });
  return Number(await result.text());
};

try {
  const place = await Place.create({ access: server }, server.dataDir, 1);
  const workers = Array.from({ length: 4 }, work);
  const phases = [await rateFor("with ClickHouse", place, Number(values.before))];
  const port = Number(new URL(clickhouse.url).port);
  await clickhouse.stop();
  phases.push(await rateFor("without", place, Number(values.outage)));
  const waiting = buffer.bytes;
  clickhouse = await startClickhouse({ data: join(data, "clickhouse"), port });
  const restarted = performance.now();
  phases.push(await rateFor("with it again", place, Number(values.before)));
  const triggered = phases.reduce((sum, { latencies }) => sum + latencies.length, 0);
  const deadline = performance.now() + PATIENCE_MS;
  while ((finished < triggered || !buffer.isEmpty) && performance.now() < deadline) await delay(100);
  const drained = (performance.now() - restarted) / 1_000;
  isOver = true;
  await Promise.all(workers);
  const client = createClient({
    url: clickhouse.url,
    database: "acme",
    log: { level: ClickHouseLogLevel.OFF },
  });
  let runs = 0;
  while (runs < triggered && performance.now() < deadline) {
    runs = await count(client, "SELECT count() FROM runs FINAL WHERE status = 'COMPLETED_SUCCESSFULLY'");
    await delay(500);
  }
  const lines = await count(client, "SELECT count() FROM logs FINAL");
  const distinct = await count(
    client,
    "SELECT uniqExact(run_id, seq) FROM logs FINAL WHERE seq BETWEEN 1 AND 3",
  );
  const spans = await count(client, "SELECT count() FROM spans FINAL WHERE name = 'work'");
  await client.close();
  console.log(
    `Waiting on disk at the end of the outage: ${(waiting / 1e6).toFixed(1)} MB, at most ${(mostBytes / 1e6).toFixed(1)} MB; sent ${drained.toFixed(0)} s after the restart; dropped: ${JSON.stringify(dropped)}`,
  );
  console.log(
    `${triggered} triggered, ${finished} finished; in ClickHouse: ${runs} finished runs, ${lines} of ${LINES * triggered} lines (${distinct} different numbers), ${spans} of ${triggered} spans`,
  );
  await place.close();
} finally {
  isOver = true;
  sender.stop();
  api.close();
  process.kill(server.pids().host, "SIGCONT");
  await server.stop();
  await clickhouse.stop();
  rmSync(data, { recursive: true, force: true });
}
