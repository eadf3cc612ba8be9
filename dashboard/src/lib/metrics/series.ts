import type { PublicRunStatus } from "@acme/sdk/contract";
import type { MetricsPoint, RunMetrics } from "../api/environment-api.ts";
import type { ChartSeries } from "../charts/chart-scale.ts";

/** Outcomes in the order of a stacked chart, with successes at the bottom. */
const OUTCOMES: readonly {
  key: string;
  label: string;
  color: string;
  statuses: readonly PublicRunStatus[];
}[] = [
  { key: "completed", label: "Completed", color: "var(--completed)", statuses: ["COMPLETED"] },
  {
    key: "canceled",
    label: "Canceled or expired",
    color: "var(--canceled)",
    statuses: ["CANCELED", "EXPIRED"],
  },
  { key: "timedout", label: "Timed out", color: "var(--timedout)", statuses: ["TIMED_OUT"] },
  {
    key: "failed",
    label: "Failed",
    color: "var(--failed)",
    statuses: ["FAILED", "CRASHED", "SYSTEM_FAILURE"],
  },
];

type Point = Pick<MetricsPoint, "byStatus">;

/** Without outcomes that no run had. */
export function outcomeSeries(points: readonly Point[]): ChartSeries[] {
  return OUTCOMES.map(({ key, label, color, statuses }) => ({
    key,
    label,
    color,
    values: points.map(({ byStatus }) => statuses.reduce((sum, status) => sum + (byStatus[status] ?? 0), 0)),
  })).filter(({ key, values }) => key === "completed" || values.some((value) => value > 0));
}

type NumberOf = {
  [K in keyof MetricsPoint]: MetricsPoint[K] extends number | null ? K : never;
}[keyof MetricsPoint];

export const seriesOf = (
  points: readonly MetricsPoint[],
  field: NumberOf,
  label: string,
  color: string,
): ChartSeries => ({ key: field, label, color, values: points.map((point) => point[field]) });

/** `12.4 %`, `0.3 %`, `–`. */
export function percent(share: number | null): string {
  if (share === null) return "–";
  const value = share * 100;
  return `${value === 0 || value >= 10 ? Math.round(value) : Number(value.toFixed(1))} %`;
}

/** `$0.42`, `$1,204`. */
export function money(cents: number): string {
  const dollars = cents / 100;
  if (dollars === 0) return "$0";
  if (dollars < 0.01) return "< $0.01";
  return `$${dollars.toLocaleString("en-US", { minimumFractionDigits: dollars < 1_000 ? 2 : 0, maximumFractionDigits: dollars < 1_000 ? 2 : 0 })}`;
}

export const failedOf = ({ byStatus }: Pick<RunMetrics, "byStatus">): number =>
  (["FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT"] as const).reduce(
    (sum, status) => sum + (byStatus[status] ?? 0),
    0,
  );
