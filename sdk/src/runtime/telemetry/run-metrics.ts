import { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricPoint } from "../../contract/telemetry.ts";
import { realNow } from "../real-clock.ts";
import type { Measured, RunMeterProvider } from "./run-meter.ts";
import type { TelemetryBuffer } from "./telemetry-buffer.ts";

/** A run that finishes before this has passed gets no metrics of its process. */
const EVERY_MS = 10_000;

/** Samples the process while one run executes in it, and collects what the run's code measures. */
export class RunMetrics {
  readonly #meter: RunMeterProvider;
  #stop: (() => void) | undefined;

  constructor(meter: RunMeterProvider) {
    this.#meter = meter;
  }

  /** `isPaused`: the run is suspended in memory. */
  begin(runId: string, attempt: number, buffer: TelemetryBuffer, isPaused: () => boolean): void {
    this.#meter.reset();
    const add = (measured: Measured[]) => {
      const time = realNow();
      for (const one of measured) buffer.addMetric({ ...one, time, runId, attempt } satisfies MetricPoint);
    };
    let process_: ProcessSampler | undefined;
    const timer = setInterval(() => {
      if (isPaused()) return;
      // The first sample is the baseline of the next one.
      if (process_) add(process_.sample());
      else process_ = new ProcessSampler();
      if (this.#meter.isUsed) void this.#meter.collect().then(add);
    }, EVERY_MS);
    timer.unref();
    this.#stop = () => {
      clearInterval(timer);
      process_?.end();
      if (this.#meter.isUsed) add(this.#meter.collectNow());
    };
  }

  /** The run has ended in this process. */
  end(): void {
    this.#stop?.();
    this.#stop = undefined;
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
  unit,
  value,
  attributes: {},
});
