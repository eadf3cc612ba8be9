import { type ExportedResource, hrTime, ofRun, SCOPE } from "./otel-forms.ts";
import type { Measured } from "./run-meter.ts";

/** Values of `AggregationTemporality` and `DataPointType` in OpenTelemetry's SDK. */
const DELTA = 0;
const CUMULATIVE = 1;
const POINT_TYPES = { histogram: 0, gauge: 2, sum: 3 } as const;
/** `ValueType.DOUBLE` of OpenTelemetry's API. */
const DOUBLE = 1;

export interface MeasuredRun {
  runId: string;
  attempt: number;
  startTime: number;
}

/**
 * The temporality of sums and histograms that a receiver wants: totals since the run began, or changes since
 * the last export.
 */
export type Temporality = (instrumentType: string) => number;

/** What a series had the last time. */
interface Last {
  time: number;
  value: number;
  counts: number[];
  sum: number;
  count: number;
}

/** What one exporter or reader gets of the runs of this process, in the form of OpenTelemetry's SDK (`ResourceMetrics`). */
export class MetricForm {
  readonly #resource: ExportedResource;
  readonly #temporality: Temporality;
  readonly #last = new Map<string, Last>();
  #run: MeasuredRun | undefined;

  constructor(resource: ExportedResource, temporality: Temporality | undefined) {
    this.#resource = resource;
    this.#temporality = temporality ?? (() => CUMULATIVE);
  }

  /** What is measured from now on belongs to this run. */
  begins(run: MeasuredRun): void {
    this.#run = run;
    this.#last.clear();
  }

  metricsOf(measured: Measured[], time: number) {
    const run = this.#run;
    const byMetric = Map.groupBy(run ? measured : [], ({ name, type }) => `${type} ${name}`);
    const metrics = [...byMetric.values()].map((series) => this.#metric(series, run as MeasuredRun, time));
    return {
      resource: this.#resource,
      scopeMetrics: metrics.length === 0 ? [] : [{ scope: SCOPE, metrics }],
    };
  }

  #metric(series: Measured[], run: MeasuredRun, time: number) {
    const { name, unit, kind, type } = series[0] as Measured;
    const isDelta = kind !== "gauge" && this.#temporality(type) === DELTA;
    return {
      descriptor: { name, unit, type, description: "", valueType: DOUBLE, advice: {} },
      aggregationTemporality: isDelta ? DELTA : CUMULATIVE,
      dataPointType: POINT_TYPES[kind],
      ...(kind === "sum" ? { isMonotonic: type === "COUNTER" || type === "OBSERVABLE_COUNTER" } : {}),
      dataPoints: series.map((one) => this.#point(one, run, isDelta, time)),
    };
  }

  #point(
    { type, name, value, buckets, attributes }: Measured,
    run: MeasuredRun,
    isDelta: boolean,
    time: number,
  ) {
    const key = `${type} ${name} ${JSON.stringify(attributes)}`;
    const last = isDelta ? this.#last.get(key) : undefined;
    const { counts = [], sum = 0, count = 0, bounds = [] } = buckets ?? {};
    if (isDelta) this.#last.set(key, { time, value, counts, sum, count });
    return {
      startTime: hrTime(last?.time ?? run.startTime),
      endTime: hrTime(time),
      attributes: { ...attributes, ...ofRun(run) },
      value: buckets
        ? {
            buckets: {
              boundaries: bounds,
              counts: counts.map((each, index) => each - (last?.counts[index] ?? 0)),
            },
            sum: sum - (last?.sum ?? 0),
            count: count - (last?.count ?? 0),
          }
        : value - (last?.value ?? 0),
    };
  }
}
