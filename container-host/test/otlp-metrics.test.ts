/** What the host pushes, by OpenTelemetry's own SDK and exporter, as a collector receives it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resourceFromAttributes } from "@opentelemetry/resources";
import * as sdk from "@opentelemetry/sdk-metrics";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { afterEach, expect, it, vi } from "vitest";
import { logTo } from "../src/log.ts";
import { producerOf, pushMetrics } from "../src/otlp-metrics.ts";

afterEach(() => vi.unstubAllEnvs());

function filledRegistry(): Registry {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: "acme_host_ends_total", help: "Ends.", labelNames: ["outcome"], registers }).inc(
    { outcome: "success" },
    3,
  );
  new Gauge({ name: "acme_host_slots", help: "Slots.", registers }).set(7);
  const seconds = new Histogram({
    name: "acme_host_poll_seconds",
    help: "Polls.",
    buckets: [0.1, 1],
    registers,
  });
  for (const value of [0.05, 0.5, 0.6, 9]) seconds.observe(value);
  return registry;
}

it("reads counters, gauges and histograms", async () => {
  const { resourceMetrics } = await producerOf(filledRegistry(), resourceFromAttributes({}), sdk).collect();
  const shown = resourceMetrics.scopeMetrics[0]?.metrics.map(({ descriptor, dataPointType, dataPoints }) => [
    descriptor.name,
    sdk.DataPointType[dataPointType],
    dataPoints.map(({ attributes, value }) => ({ attributes, value })),
  ]);
  expect(shown).toEqual([
    ["acme_host_ends_total", "SUM", [{ attributes: { outcome: "success" }, value: 3 }]],
    ["acme_host_slots", "GAUGE", [{ attributes: {}, value: 7 }]],
    [
      "acme_host_poll_seconds",
      "HISTOGRAM",
      [
        {
          attributes: {},
          value: { buckets: { boundaries: [0.1, 1], counts: [1, 2, 1] }, sum: 10.15, count: 4 },
        },
      ],
    ],
  ]);
});

it("pushes to the collector that the variables name, with their headers, and once more at its end", async () => {
  const received: { path: string; scope: string | undefined; bytes: number }[] = [];
  const collector = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("end", () => {
      received.push({ path: request.url ?? "", scope: request.headers["x-scope"] as string, bytes });
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
  vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=acme");
  const stop = await pushMetrics(
    filledRegistry(),
    "host_1",
    logTo(() => {}),
  );
  await stop?.();
  expect(received).toEqual([{ path: "/v1/metrics", scope: "acme", bytes: expect.any(Number) }]);
  expect(received[0]?.bytes).toBeGreaterThan(100);
  collector.close();
});

it("pushes nothing where no collector is named, and says so where one refuses", async () => {
  expect(
    await pushMetrics(
      new Registry(),
      "host_1",
      logTo(() => {}),
      {},
    ),
  ).toBe(null);
  const collector = createServer((request, response) => {
    request.resume();
    response.writeHead(400).end();
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
  const said: string[] = [];
  const stop = await pushMetrics(
    filledRegistry(),
    "host_1",
    logTo((level, message) => said.push(`${level} ${message}`)),
  );
  await stop?.();
  expect(said).toEqual([expect.stringMatching(/^warn Metrics could not be sent to the collector \(1×\)/)]);
  collector.close();
});
