import type { MetricPoint } from "@acme/sdk/contract";
import type { MetricQuery, MetricSeries } from "./store.ts";

/**
 * Returns the points of one metric as series: one for each value of `groupBy`, in steps that begin at
 * multiples of `step`.
 */
export function seriesOf(points: MetricPoint[], query: MetricQuery): MetricSeries[] {
  const groups = new Map<string, { unit: string; steps: Map<number, MetricSeries["points"][number]> }>();
  for (const point of points) {
    if (query.attributes?.some(({ name, value }) => String(point.attributes[name] ?? "") !== value)) continue;
    const name = query.groupBy === undefined ? "" : String(point.attributes[query.groupBy] ?? "");
    let group = groups.get(name);
    if (!group) {
      group = { unit: point.unit, steps: new Map() };
      groups.set(name, group);
    }
    const time = Math.floor(point.time / query.step) * query.step;
    const { value } = point;
    const known = group.steps.get(time);
    if (!known) {
      group.steps.set(time, { time, min: value, max: value, sum: value, count: 1, last: value });
      continue;
    }
    known.min = Math.min(known.min, value);
    known.max = Math.max(known.max, value);
    known.sum += value;
    known.count += 1;
    known.last = value;
  }
  return [...groups].map(([group, { unit, steps }]) => ({ group, unit, points: [...steps.values()] }));
}
