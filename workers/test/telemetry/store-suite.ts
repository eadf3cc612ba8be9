import {
  type LogRecord,
  type MetricPoint,
  newRunId,
  randomBase36,
  type SpanRecord,
} from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import type { TelemetryBatch, TelemetryStore } from "../../src/telemetry/store.ts";

const hex = (digits: number): string =>
  [...crypto.getRandomValues(new Uint8Array(digits / 2))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

/** An environment of its own for each test. */
const newEnvironment = (): string => randomBase36(8);
const runOf = (environment: string): string => newRunId(environment + "0".repeat(10));

/** A whole minute, a while ago: stores keep what is new. */
const T = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000;

export const span = (fields: Partial<SpanRecord> & { traceId: string }): SpanRecord => ({
  spanId: hex(16),
  parentSpanId: null,
  runId: null,
  attempt: null,
  service: null,
  name: "work",
  kind: "internal",
  startTime: T,
  endTime: T + 1.25,
  status: "unset",
  attributes: {},
  events: [],
  links: [],
  ...fields,
});

export const line = (fields: Partial<LogRecord>): LogRecord => ({
  time: T,
  level: "info",
  message: "hello",
  runId: null,
  attempt: 1,
  seq: 0,
  ...fields,
});

const point = (fields: Partial<MetricPoint>): MetricPoint => ({
  name: "cpu",
  kind: "gauge",
  unit: "1",
  value: 1,
  time: T,
  attributes: {},
  runId: null,
  attempt: null,
  ...fields,
});

let sent = 0;
const batch = (fields: Partial<TelemetryBatch>): TelemetryBatch => ({
  sender: `sender-${randomBase36(8)}`,
  number: ++sent,
  spans: [],
  logs: [],
  metrics: [],
  ...fields,
});

/**
 * `append`: what the Worker calls with received telemetry, through the feed, which numbers the lines of a
 * run.
 */
export interface StoreUnderTest {
  store(): TelemetryStore;
  append(environment: string, batch: TelemetryBatch): Promise<void>;
}

/** Tests of every store. */
export function describeStore(name: string, { store, append }: StoreUnderTest): void {
  describe(`the telemetry store: ${name}`, () => {
    it("returns every field of a span", async () => {
      const environment = newEnvironment();
      const traceId = hex(32);
      const whole = span({
        traceId,
        parentSpanId: hex(16),
        runId: runOf(environment),
        attempt: 2,
        service: "shop",
        name: "POST /orders",
        kind: "server",
        startTime: T + 0.125,
        endTime: T + 12.5,
        status: "error",
        message: "no stock",
        attributes: { "http.method": "POST", count: 3, ok: false, list: ["a", "b"] },
        events: [{ time: T + 1, name: "exception", attributes: { "exception.type": "Error" } }],
        links: [{ traceId: hex(32), spanId: hex(16), attributes: {} }],
      });
      await append(environment, batch({ spans: [whole] }));
      expect(await store().span(environment, traceId, whole.spanId)).toEqual(whole);
      const page = await store().trace(environment, traceId, { after: null, limit: 10 });
      expect(page).toEqual({ spans: [whole], next: null, dropped: 0 });
    });

    it("pages through a trace without a gap or a repetition, also of several senders", async () => {
      const environment = newEnvironment();
      const traceId = hex(32);
      const spans = Array.from({ length: 25 }, (_, n) => span({ traceId, name: `span ${n}` }));
      await append(environment, batch({ spans: spans.slice(0, 10) }));
      await append(environment, batch({ spans: spans.slice(10) }));
      const names: string[] = [];
      let after: string | null = null;
      do {
        const page = await store().trace(environment, traceId, { after, limit: 7 });
        expect(page.spans.length).toBeLessThanOrEqual(7);
        names.push(...page.spans.map(({ name }) => name));
        after = page.next;
      } while (after !== null);
      expect(names.toSorted()).toEqual(spans.map(({ name }) => name).toSorted());
    });

    it("stores a batch once, and a span that ends in place of the same span that had not", async () => {
      const environment = newEnvironment();
      const traceId = hex(32);
      const runId = runOf(environment);
      const begun = span({ traceId, endTime: null });
      const first = batch({ spans: [begun], logs: [line({ runId })], metrics: [point({ runId })] });
      await append(environment, first);
      await append(environment, first);
      const ended = { ...begun, endTime: T + 9, status: "ok" as const };
      await append(environment, batch({ sender: first.sender, spans: [ended] }));
      await append(environment, batch({ spans: [begun] }));
      const { spans } = await store().trace(environment, traceId, { after: null, limit: 10 });
      expect(spans).toEqual([ended]);
      const { logs } = await store().logsOfRun(environment, runId, { after: 0, limit: 10 });
      expect(logs).toEqual([line({ runId, seq: 1 })]);
      const series = await store().metricSeries(environment, {
        name: "cpu",
        from: T - 1_000,
        to: T + 1_000,
        step: 1_000,
        runId,
      });
      expect(series.map(({ points }) => points.map(({ count }) => count))).toEqual([[1]]);
    });

    it("finds lines of a run by level, text and number, in their order", async () => {
      const environment = newEnvironment();
      const runId = runOf(environment);
      const levels = ["debug", "info", "warn", "error"] as const;
      const lines = Array.from({ length: 40 }, (_, n) =>
        line({ runId, level: levels[n % 4] ?? "info", message: `Line ${n}`, properties: { n } }),
      );
      await append(environment, batch({ logs: lines.slice(0, 25) }));
      await append(environment, batch({ logs: lines.slice(25) }));
      const all = await store().logsOfRun(environment, runId, { after: 0, limit: 100 });
      expect(all.logs.map(({ message }) => message)).toEqual(lines.map(({ message }) => message));
      expect(all.logs.map(({ seq }) => seq)).toEqual(lines.map((_, n) => n + 1));
      expect(all.logs[3]?.properties).toEqual({ n: 3 });
      expect(all.next).toBeNull();
      const page = await store().logsOfRun(environment, runId, { after: 10, limit: 5 });
      expect(page.logs.map(({ seq }) => seq)).toEqual([11, 12, 13, 14, 15]);
      expect(page.next).toBe(15);
      const some = await store().logsOfRun(environment, runId, {
        after: 0,
        limit: 100,
        levels: ["error", "warn"],
        text: "LINE 1",
      });
      expect(some.logs.map(({ message }) => message)).toEqual([
        "Line 10",
        "Line 11",
        "Line 14",
        "Line 15",
        "Line 18",
        "Line 19",
      ]);
    });

    it("shows nothing of it to another environment", async () => {
      const environment = newEnvironment();
      const traceId = hex(32);
      const spans = [span({ traceId })];
      await append(environment, batch({ spans, metrics: [point({})] }));
      const other = newEnvironment();
      expect(await store().span(other, traceId, spans[0]?.spanId ?? "")).toBeNull();
      const page = await store().trace(other, traceId, { after: null, limit: 10 });
      expect(page.spans).toEqual([]);
      const query = { name: "cpu", from: T - 1, to: T + 1, step: 1_000 };
      expect(await store().metricSeries(other, query)).toEqual([]);
    });

    it("sums points of a metric up in steps, by an attribute", async () => {
      const environment = newEnvironment();
      const runId = runOf(environment);
      const metrics = [1, 5, 3, 10].map((value, n) =>
        point({ runId, value, time: T + n * 500, attributes: { core: n < 3 ? "a" : "b" } }),
      );
      await append(environment, batch({ metrics }));
      const series = await store().metricSeries(environment, {
        name: "cpu",
        from: T,
        to: T + 10_000,
        step: 1_000,
        runId,
        groupBy: "core",
      });
      expect(series.toSorted((a, b) => (a.group < b.group ? -1 : 1))).toEqual([
        {
          group: "a",
          unit: "1",
          points: [
            { time: T, min: 1, max: 5, sum: 6, count: 2, last: 5 },
            { time: T + 1_000, min: 3, max: 3, sum: 3, count: 1, last: 3 },
          ],
        },
        {
          group: "b",
          unit: "1",
          points: [{ time: T + 1_000, min: 10, max: 10, sum: 10, count: 1, last: 10 }],
        },
      ]);
    });
  });
}
