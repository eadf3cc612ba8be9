import { DELAY_CLASSES_MS, METRICS_MINUTE_MS } from "@acme/durable-objects/routing";
import type { MetricsMinute } from "@acme/durable-objects/rpc";
import type { QueueMetrics, QueueMetricsPoint } from "@acme/sdk/contract/api";
import { isoTime } from "./time.ts";

/** A span of time, in whole minutes since the epoch: `to` is not part of it. */
export interface MinuteSpan {
  from: number;
  to: number;
  /** Length of each point's interval, in minutes. */
  resolution: number;
}

/** A queue's activity over time, with the delays of the whole time. */
export function metricsView(partitions: MetricsMinute[][], span: MinuteSpan): QueueMetrics {
  const delays: number[] = [];
  for (const minute of partitions.flat())
    if (minute.minute >= span.from)
      for (const [index, count] of minute.delays.entries()) delays[index] = (delays[index] ?? 0) + count;
  return {
    resolutionMinutes: span.resolution,
    delayP50Ms: quantile(delays, 0.5),
    delayP95Ms: quantile(delays, 0.95),
    points: metricsPoints(partitions, span),
  };
}

/** Later than any minute. */
const NONE = Number.POSITIVE_INFINITY;

/**
 * Returns a queue's activity over time, from the counts of its partitions. Minutes without changes keep the
 * previous state.
 */
export function metricsPoints(partitions: MetricsMinute[][], span: MinuteSpan): QueueMetricsPoint[] {
  const points: QueueMetricsPoint[] = [];
  const states = partitions.map((minutes) => ({ minutes, next: 0, queued: 0, running: 0 }));
  for (let start = span.from; start < span.to; start += span.resolution) {
    const sum = { queued: 0, running: 0, started: 0, ended: 0 };
    const delays: number[] = [];
    for (const state of states) {
      // Minutes before the span determine its initial state.
      for (; (state.minutes[state.next]?.minute ?? NONE) < start; state.next++) follow(state);
      let { queued, running } = state;
      for (; (state.minutes[state.next]?.minute ?? NONE) < start + span.resolution; state.next++) {
        const minute = state.minutes[state.next] as MetricsMinute;
        queued = Math.max(queued, minute.queuedMost);
        running = Math.max(running, minute.runningMost);
        sum.started += minute.started;
        sum.ended += minute.ended;
        for (const [index, count] of minute.delays.entries()) delays[index] = (delays[index] ?? 0) + count;
        follow(state);
      }
      sum.queued += queued;
      sum.running += running;
    }
    points.push({
      time: isoTime(start * METRICS_MINUTE_MS),
      ...sum,
      delayP50Ms: quantile(delays, 0.5),
      delayP95Ms: quantile(delays, 0.95),
    });
  }
  return points;
}

/** Advances to the next minute: the state at its end is the state from then on. */
function follow(state: { minutes: MetricsMinute[]; next: number; queued: number; running: number }): void {
  const minute = state.minutes[state.next];
  if (!minute) return;
  state.queued = minute.queuedLast;
  state.running = minute.runningLast;
}

/** Returns a quantile of the delays, interpolated within its class; null if no run was started. */
export function quantile(delays: number[], part: number): number | null {
  const total = delays.reduce((sum, count) => sum + (count ?? 0), 0);
  if (total === 0) return null;
  let left = total * part;
  for (const [index, count = 0] of delays.entries()) {
    if (left > count) {
      left -= count;
      continue;
    }
    const low = DELAY_CLASSES_MS[index - 1] ?? 0;
    const high = DELAY_CLASSES_MS[index] ?? low;
    return Math.round(low + ((high - low) * left) / Math.max(1, count));
  }
  return DELAY_CLASSES_MS.at(-1) as number;
}
