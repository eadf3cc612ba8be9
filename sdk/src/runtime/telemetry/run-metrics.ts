import { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricPoint } from "../../contract/telemetry.ts";
import { realNow } from "../real-clock.ts";
import type { MeasuredRun } from "./metric-data.ts";
import type { Measured, RunMeterProvider } from "./run-meter.ts";
import type { TelemetryBuffer } from "./telemetry-buffer.ts";

/** A run that finishes before this has passed twice may get no metrics of its process. */
const EVERY_MS = 10_000;

interface Measurement {
  add(measured: Measured[]): void;
  isPaused(): boolean;
  sampler: ProcessSampler | undefined;
}

/** Receivers of what is measured, in addition to the host: exporters and readers of the project's configuration. */
export interface MetricListener {
  begins(run: MeasuredRun): void;
  measured(measured: Measured[], time: number): void;
  ends(): void;
}

/** Samples the process while one run executes in it, and collects what the run's code measures. */
export class RunMetrics {
  readonly listeners = new Set<MetricListener>();
  readonly #meter: RunMeterProvider;
  /** The measurement of the run in progress. */
  #current: Measurement | undefined;
  /** One for the life of the process: a timer for each run would cost a short one more than the rest of its metrics. */
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(meter: RunMeterProvider) {
    this.#meter = meter;
  }

  /** `isPaused`: the run is suspended in memory. */
  begin(runId: string, attempt: number, buffer: TelemetryBuffer, isPaused: () => boolean): void {
    if (this.#meter.isUsed) this.#meter.reset();
    for (const listener of this.listeners) listener.begins({ runId, attempt, startTime: realNow() });
    const add = (measured: Measured[]) => {
      const time = realNow();
      for (const { type, ...one } of measured)
        buffer.addMetric({ ...one, time, runId, attempt } satisfies MetricPoint);
      for (const listener of this.listeners) listener.measured(measured, time);
    };
    this.#current = { add, isPaused, sampler: undefined };
    this.#timer ??= setInterval(() => this.#sample(), EVERY_MS).unref();
  }

  /** The run has ended in this process. */
  end(): void {
    const current = this.#current;
    if (!current) return;
    this.#current = undefined;
    current.sampler?.end();
    if (this.#meter.isUsed) current.add(this.#meter.collectNow());
    for (const listener of this.listeners) listener.ends();
  }

  #sample(): void {
    const current = this.#current;
    if (!current || current.isPaused()) return;
    const { add, sampler } = current;
    // The first sample is the baseline of the next one.
    if (sampler) add(sampler.sample());
    else current.sampler = new ProcessSampler();
    if (this.#meter.isUsed) void this.#meter.collect().then(add);
  }
}

/** Returns CPU, memory and event-loop lag of this process since the previous sample. */
class ProcessSampler {
  readonly #loop = monitorEventLoopDelay({ resolution: 20 });
  #cpu = process.cpuUsage();
  #at = performance.now();

  constructor() {
    this.#loop.enable();
  }

  sample(): Measured[] {
    const used = process.cpuUsage(this.#cpu);
    const now = performance.now();
    const share = (used.user + used.system) / 1_000 / Math.max(1, now - this.#at);
    this.#cpu = process.cpuUsage();
    this.#at = now;
    const { rss, heapUsed } = process.memoryUsage();
    const lagMs = { mean: this.#loop.mean / 1e6, max: this.#loop.max / 1e6 };
    this.#loop.reset();
    return [
      gauge("process.cpu.utilization", "1", Math.round(share * 10_000) / 10_000),
      gauge("process.memory.usage", "By", rss),
      gauge("v8js.memory.heap.used", "By", heapUsed),
      ...(Number.isFinite(lagMs.mean)
        ? [
            gauge("nodejs.eventloop.delay.mean", "ms", lagMs.mean),
            gauge("nodejs.eventloop.delay.max", "ms", lagMs.max),
          ]
        : []),
    ];
  }

  end(): void {
    this.#loop.disable();
  }
}

const gauge = (name: string, unit: string, value: number): Measured => ({
  name,
  kind: "gauge",
  type: "OBSERVABLE_GAUGE",
  unit,
  value,
  attributes: {},
});
