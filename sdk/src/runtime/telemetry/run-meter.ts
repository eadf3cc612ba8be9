import type {
  BatchObservableCallback,
  Counter,
  Gauge,
  Histogram,
  Meter,
  MeterProvider,
  MetricOptions,
  Observable,
  ObservableCallback,
  ObservableCounter,
  ObservableGauge,
  ObservableUpDownCounter,
  Attributes as OtelAttributes,
  UpDownCounter,
} from "@opentelemetry/api";
import type { Attributes, MetricPoint } from "../../contract/telemetry.ts";
import { TELEMETRY_LIMITS } from "../../contract/telemetry-limits.ts";
import { cutMiddle } from "../../contract/text.ts";
import { attributesOf } from "./attributes.ts";

/** The default of OpenTelemetry's SDK. */
const DEFAULT_BOUNDS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000];
/**
 * The maximum number of attribute sets of one instrument. Measurements with further ones are not recorded.
 */
const MAX_SERIES = 500;

type Kind = MetricPoint["kind"];
/** Kinds of instruments by their names in OpenTelemetry's SDK. */
export type InstrumentType =
  | "COUNTER"
  | "UP_DOWN_COUNTER"
  | "GAUGE"
  | "HISTOGRAM"
  | "OBSERVABLE_COUNTER"
  | "OBSERVABLE_UP_DOWN_COUNTER"
  | "OBSERVABLE_GAUGE";

/** The current state of a series of an instrument. */
export type Measured = Pick<MetricPoint, "name" | "kind" | "unit" | "value" | "buckets" | "attributes"> & {
  type: InstrumentType;
};

const KINDS = {
  COUNTER: "sum",
  UP_DOWN_COUNTER: "sum",
  GAUGE: "gauge",
  HISTOGRAM: "histogram",
  OBSERVABLE_COUNTER: "sum",
  OBSERVABLE_UP_DOWN_COUNTER: "sum",
  OBSERVABLE_GAUGE: "gauge",
} as const satisfies Record<InstrumentType, Kind>;

interface Series {
  attributes: Attributes;
  value: number;
  buckets: { counts: number[]; sum: number; count: number } | undefined;
  isNew: boolean;
}

/** One metric: the measurements since the run began, by attributes. */
class Instrument implements Observable {
  readonly name: string;
  readonly kind: Kind;
  readonly type: InstrumentType;
  readonly unit: string;
  readonly #bounds: number[];
  readonly #series = new Map<string, Series>();
  readonly #callbacks = new Set<ObservableCallback>();

  constructor(name: string, type: InstrumentType, options: MetricOptions | undefined) {
    this.name = cutMiddle(String(name), TELEMETRY_LIMITS.nameBytes);
    this.kind = KINDS[type];
    this.type = type;
    this.unit = String(options?.unit ?? "").slice(0, 64);
    const bounds = options?.advice?.explicitBucketBoundaries ?? DEFAULT_BOUNDS;
    this.#bounds = [...bounds].slice(0, TELEMETRY_LIMITS.buckets).sort((a, b) => a - b);
  }

  /** Adds to a sum. */
  add(value: number, attributes?: OtelAttributes): void {
    const series = this.#of(value, attributes);
    if (series) series.value += value;
  }

  /** Sets a gauge, or counts in a histogram. */
  record(value: number, attributes?: OtelAttributes): void {
    const series = this.#of(value, attributes);
    if (!series) return;
    if (this.kind !== "histogram") {
      series.value = value;
      return;
    }
    series.buckets ??= { counts: new Array<number>(this.#bounds.length + 1).fill(0), sum: 0, count: 0 };
    const above = this.#bounds.findIndex((bound) => value <= bound);
    const index = above === -1 ? this.#bounds.length : above;
    series.buckets.counts[index] = (series.buckets.counts[index] ?? 0) + 1;
    series.buckets.sum += value;
    series.buckets.count += 1;
  }

  addCallback(callback: ObservableCallback): void {
    this.#callbacks.add(callback);
  }

  removeCallback(callback: ObservableCallback): void {
    this.#callbacks.delete(callback);
  }

  async observe(): Promise<void> {
    const observe = (value: number, attributes?: OtelAttributes) => this.set(value, attributes);
    for (const callback of this.#callbacks) await callback({ observe });
  }

  /**
   * Records what a callback observed. For an observable counter too, that is the total and not an increment.
   */
  set(value: number, attributes?: OtelAttributes): void {
    const series = this.#of(value, attributes);
    if (series) series.value = value;
  }

  /** Returns what changed since the last call. */
  collect(): Measured[] {
    const measured: Measured[] = [];
    for (const series of this.#series.values()) {
      if (!series.isNew) continue;
      series.isNew = false;
      measured.push(this.#measured(series));
    }
    return measured;
  }

  /** All that was measured since the run began. */
  snapshot(): Measured[] {
    return [...this.#series.values()].map((series) => this.#measured(series));
  }

  #measured({ attributes, buckets, value }: Series): Measured {
    return {
      name: this.name,
      kind: this.kind,
      type: this.type,
      unit: this.unit,
      value: buckets ? buckets.sum / Math.max(1, buckets.count) : value,
      ...(buckets ? { buckets: { bounds: this.#bounds, ...buckets, counts: [...buckets.counts] } } : {}),
      attributes,
    };
  }

  /** Resets the metric for a new run. */
  reset(): void {
    this.#series.clear();
  }

  #of(value: number, attributes: OtelAttributes | undefined): Series | undefined {
    if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
    const kept = attributesOf(attributes);
    const key = attributes ? JSON.stringify(Object.entries(kept).sort(([a], [b]) => (a < b ? -1 : 1))) : "";
    let series = this.#series.get(key);
    if (!series) {
      if (this.#series.size >= MAX_SERIES) return undefined;
      series = { attributes: kept, value: 0, buckets: undefined, isNew: true };
      this.#series.set(key, series);
    }
    series.isNew = true;
    return series;
  }
}

/** The meters of one process. It executes one run at a time, so all measurements belong to that run. */
export class RunMeterProvider implements MeterProvider, Meter {
  readonly #instruments = new Map<string, Instrument>();
  readonly #batches = new Map<BatchObservableCallback, Set<Observable>>();

  /** True if the project's code measures anything. */
  get isUsed(): boolean {
    return this.#instruments.size > 0;
  }

  getMeter(): Meter {
    return this;
  }

  createCounter(name: string, options?: MetricOptions): Counter {
    return this.#instrument(name, "COUNTER", options);
  }

  createUpDownCounter(name: string, options?: MetricOptions): UpDownCounter {
    return this.#instrument(name, "UP_DOWN_COUNTER", options);
  }

  createGauge(name: string, options?: MetricOptions): Gauge {
    return this.#instrument(name, "GAUGE", options);
  }

  createHistogram(name: string, options?: MetricOptions): Histogram {
    return this.#instrument(name, "HISTOGRAM", options);
  }

  createObservableGauge(name: string, options?: MetricOptions): ObservableGauge {
    return this.#instrument(name, "OBSERVABLE_GAUGE", options);
  }

  createObservableCounter(name: string, options?: MetricOptions): ObservableCounter {
    return this.#instrument(name, "OBSERVABLE_COUNTER", options);
  }

  createObservableUpDownCounter(name: string, options?: MetricOptions): ObservableUpDownCounter {
    return this.#instrument(name, "OBSERVABLE_UP_DOWN_COUNTER", options);
  }

  addBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    this.#batches.set(callback, new Set(observables));
  }

  removeBatchObservableCallback(callback: BatchObservableCallback): void {
    this.#batches.delete(callback);
  }

  async collect(): Promise<Measured[]> {
    await this.observe();
    return this.collectNow();
  }

  /** Calls the callbacks. One that throws must not affect the others. */
  async observe(): Promise<void> {
    const calls = [...this.#instruments.values()].map((instrument) => () => instrument.observe());
    for (const [callback, observables] of this.#batches)
      calls.push(async () => {
        await callback({
          observe: (observable, value, attributes) => {
            if (observables.has(observable) && observable instanceof Instrument)
              observable.set(value, attributes);
          },
        });
      });
    await Promise.allSettled(calls.map((call) => call()));
  }

  /** All that was measured since the run began. */
  snapshot(): Measured[] {
    return [...this.#instruments.values()].flatMap((instrument) => instrument.snapshot());
  }

  /** Collects without calling callbacks. */
  collectNow(): Measured[] {
    return [...this.#instruments.values()].flatMap((instrument) => instrument.collect());
  }

  /** From now on, measurements belong to another run. */
  reset(): void {
    for (const instrument of this.#instruments.values()) instrument.reset();
  }

  #instrument(name: string, type: InstrumentType, options: MetricOptions | undefined): Instrument {
    const key = `${type} ${name}`;
    let instrument = this.#instruments.get(key);
    if (!instrument) {
      instrument = new Instrument(name, type, options);
      this.#instruments.set(key, instrument);
    }
    return instrument;
  }
}
