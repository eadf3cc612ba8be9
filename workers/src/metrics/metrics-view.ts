import { publicStatus, RunStatus } from "@acme/sdk/contract";
import type { MetricsPoint, MetricsResponse, RunMetrics } from "@acme/sdk/contract/api";
import {
  classColumns,
  ENDED_COLUMNS,
  SUM_COLUMNS,
  TIME_CLASSES_MS,
  type TimeKind,
} from "../storage/rollup-columns.ts";
import { costOf } from "../views/run-cost.ts";
import { isoTime } from "../views/time.ts";
import type { CountedStep, Sums, TimeSpan } from "./metric-queries.ts";

const NO_SUMS: Sums = Object.fromEntries(SUM_COLUMNS.map((name) => [name, 0]));

/** The sums of a step, including the cost of the machines. */
interface Counted {
  sums: Sums;
  cost: number;
}

const nothing = (): Counted => ({ sums: { ...NO_SUMS }, cost: 0 });

function add(to: Counted, { machine, sums }: CountedStep): void {
  for (const name of SUM_COLUMNS) to.sums[name] = (to.sums[name] ?? 0) + (sums[name] ?? 0);
  to.cost += costOfSums(machine, sums);
}

/** Returns US cents for the time on a machine and for the starts. */
const costOfSums = (machine: string, { usage_ms = 0, started = 0 }: Sums): number => {
  const { costInCents, baseCostInCents } = costOf({ machine, usageMs: usage_ms, startedAt: 0 });
  return costInCents + baseCostInCents * started;
};

const FAILED = [
  RunStatus.COMPLETED_WITH_ERRORS,
  RunStatus.CRASHED,
  RunStatus.SYSTEM_FAILURE,
  RunStatus.TIMED_OUT,
];

function metricsOf({ sums, cost }: Counted, ms: number): RunMetrics {
  const at = (name: string) => sums[name] ?? 0;
  const statuses = Object.entries(ENDED_COLUMNS).map(([status, column]) => ({
    status: status as keyof typeof ENDED_COLUMNS,
    count: at(column),
  }));
  const sum = (of: typeof statuses) => of.reduce((total, { count }) => total + count, 0);
  const ended = sum(statuses);
  const failed = sum(statuses.filter(({ status }) => FAILED.includes(status as (typeof FAILED)[number])));
  const judged = failed + at("completed");
  const part = (kind: TimeKind, part: number) => quantile(classColumns(kind).map(at), part);
  return {
    created: at("created"),
    started: at("started"),
    ended,
    byStatus: Object.fromEntries(
      statuses.filter(({ count }) => count > 0).map(({ status, count }) => [publicStatus(status), count]),
    ),
    endedPerMinute: ended / (ms / 60_000),
    failureRate: judged === 0 ? null : failed / judged,
    durationP50Ms: part("duration", 0.5),
    durationP95Ms: part("duration", 0.95),
    durationP99Ms: part("duration", 0.99),
    queueDelayP50Ms: part("delay", 0.5),
    queueDelayP95Ms: part("delay", 0.95),
    queueDelayP99Ms: part("delay", 0.99),
    computeSeconds: at("usage_ms") / 1_000,
    costInCents: cost,
  };
}

/** Returns a quantile of the times, interpolated within its class; null without runs. */
export function quantile(counts: number[], part: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let left = total * part;
  for (const [index, count] of counts.entries()) {
    if (left > count) {
      left -= count;
      continue;
    }
    const low = TIME_CLASSES_MS[index - 1] ?? 0;
    const high = TIME_CLASSES_MS[index] ?? low;
    return Math.round(low + ((high - low) * left) / Math.max(1, count));
  }
  return TIME_CLASSES_MS.at(-1) as number;
}

type Series = Pick<MetricsResponse, "total" | "points">;

/**
 * @param now runs in progress now. What started since is taken away, and what finished since is added: so it is known for each
 *   step from what changed in it.
 */
export function seriesOf(steps: CountedStep[], { from, to, resolution }: TimeSpan, now: number): Series {
  const byTime = new Map<number, Counted>();
  const total = nothing();
  let inProgress = now;
  for (const step of steps) {
    const { started = 0, finished = 0 } = step.sums;
    if (step.time >= to) {
      inProgress += finished - started;
      continue;
    }
    add(total, step);
    const counted = byTime.get(step.time) ?? nothing();
    byTime.set(step.time, counted);
    add(counted, step);
  }
  const points: MetricsPoint[] = [];
  for (let time = to - resolution; time >= from; time -= resolution) {
    const counted = byTime.get(time) ?? nothing();
    points.push({
      time: isoTime(time),
      ...metricsOf(counted, resolution),
      inProgress: Math.max(0, inProgress),
    });
    inProgress += (counted.sums.finished ?? 0) - (counted.sums.started ?? 0);
  }
  return { total: metricsOf(total, to - from), points: points.reverse() };
}

/** Returns the series of each group, those with the most runs first. */
export function groupsOf(
  steps: CountedStep[],
  span: TimeSpan,
  inProgress: Map<string, number>,
): MetricsResponse["groups"] {
  const byKey = Map.groupBy(steps, ({ key }) => key);
  return [...byKey]
    .map(([key, own]) => ({ key, ...seriesOf(own, span, inProgress.get(key) ?? 0) }))
    .sort((a, b) => b.total.created - a.total.created || (a.key < b.key ? -1 : 1));
}
