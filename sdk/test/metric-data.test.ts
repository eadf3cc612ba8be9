import { expect, it } from "vitest";
import { MetricForm } from "../src/runtime/telemetry/metric-data.ts";
import { resourceOf } from "../src/runtime/telemetry/otel-forms.ts";
import { RunMeterProvider } from "../src/runtime/telemetry/run-meter.ts";

const resource = resourceOf({});
const run = { runId: "run_1", attempt: 1, startTime: 1_000 };

/** Values of all points, by metric. */
const valuesOf = (form: MetricForm, meters: RunMeterProvider, time: number) =>
  Object.fromEntries(
    form
      .metricsOf(meters.snapshot(), time)
      .scopeMetrics.flatMap(({ metrics }) => metrics)
      .map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints.map(({ value }) => value)]),
  );

it("returns each reader the totals since the run began, or the deltas, for each run separately", () => {
  const meters = new RunMeterProvider();
  const whole = new MetricForm(resource, undefined);
  const added = new MetricForm(resource, (type) => (type === "UP_DOWN_COUNTER" ? 1 : 0));
  const begin = () => {
    meters.reset();
    whole.begins(run);
    added.begins(run);
  };
  begin();
  const counter = meters.createCounter("orders");
  const open = meters.createUpDownCounter("open");
  const load = meters.createGauge("load");
  const latency = meters.createHistogram("latency", { advice: { explicitBucketBoundaries: [10] } });
  counter.add(2);
  open.add(5);
  load.record(0.5);
  latency.record(3);
  const first = {
    orders: [2],
    open: [5],
    load: [0.5],
    latency: [{ buckets: { boundaries: [10], counts: [1, 0] }, sum: 3, count: 1 }],
  };
  expect(valuesOf(whole, meters, 2_000)).toEqual(first);
  expect(valuesOf(added, meters, 2_000)).toEqual(first);
  counter.add(3);
  open.add(-1);
  latency.record(30);
  expect(valuesOf(whole, meters, 3_000)).toMatchObject({ orders: [5], open: [4], load: [0.5] });
  expect(valuesOf(added, meters, 3_000)).toEqual({
    orders: [3],
    open: [4],
    load: [0.5],
    latency: [{ buckets: { boundaries: [10], counts: [0, 1] }, sum: 30, count: 1 }],
  });
  begin();
  counter.add(1);
  expect(valuesOf(whole, meters, 4_000)).toEqual({ orders: [1] });
  expect(valuesOf(added, meters, 4_000)).toEqual({ orders: [1] });
});

it("describes each metric, and labels each point with its run and time", () => {
  const meters = new RunMeterProvider();
  const form = new MetricForm(resource, () => 0);
  expect(form.metricsOf(meters.snapshot(), 1).scopeMetrics).toEqual([]);
  form.begins(run);
  meters.createCounter("orders", { unit: "1" }).add(2, { shop: "a" });
  form.metricsOf(meters.snapshot(), 2_000);
  meters.createCounter("orders", { unit: "1" }).add(2, { shop: "b" });
  const metrics = form.metricsOf(meters.snapshot(), 3_500).scopeMetrics[0]?.metrics;
  const attributes = { "acme.run.id": "run_1", "acme.attempt": 1 };
  expect(metrics).toMatchObject([
    {
      descriptor: { name: "orders", unit: "1", type: "COUNTER" },
      aggregationTemporality: 0,
      dataPointType: 3,
      isMonotonic: true,
      dataPoints: [
        { startTime: [2, 0], endTime: [3, 500_000_000], value: 0, attributes: { shop: "a", ...attributes } },
        { startTime: [1, 0], endTime: [3, 500_000_000], value: 2, attributes: { shop: "b", ...attributes } },
      ],
    },
  ]);
});
