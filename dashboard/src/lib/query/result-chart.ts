import type { ChartSeries } from "../charts/chart-scale.ts";

export interface ResultColumn {
  name: string;
  /** The database's name of the type: `UInt64`, `DateTime64(3)`, `Nullable(String)`. */
  type: string;
}

type Row = Readonly<Record<string, unknown>>;

const inner = (type: string): string => /^(?:Nullable|LowCardinality)\((.*)\)$/.exec(type)?.[1] ?? type;
/** A type as a person reads it: `LowCardinality(Nullable(String))` is `String`. */
export const shortType = (type: string): string =>
  inner(inner(type)).replace(/^DateTime64\(.*\)$/, "DateTime");
export const isTime = ({ type }: ResultColumn): boolean => /^Date/.test(inner(inner(type)));
export const isNumber = ({ type }: ResultColumn): boolean =>
  /^(U?Int|Float|Decimal)/.test(inner(inner(type)));

const COLORS = ["executing", "waiting", "completed", "timedout", "failed", "version", "dequeued", "system"];
const MOST_POINTS = 500;

/** Times without a zone are UTC. */
export function timeOf(value: unknown): number {
  if (typeof value === "number") return value < 1e11 ? value * 1_000 : value;
  const text = String(value);
  return Date.parse(
    /[zZ]|[+-]\d\d:?\d\d$/.test(text)
      ? text
      : `${text.replace(" ", "T")}${text.length <= 10 ? "T00:00:00" : ""}Z`,
  );
}

/**
 * Returns a result as a chart over time, from its first time column and all number columns; null if either is
 * missing.
 */
export function chartOfResult(
  columns: readonly ResultColumn[],
  rows: readonly Row[],
): { from: number; step: number; series: ChartSeries[] } | null {
  const time = columns.find(isTime);
  const numbers = columns.filter((column) => isNumber(column)).slice(0, COLORS.length);
  if (!time || numbers.length === 0 || rows.length < 2) return null;
  const byTime = new Map<number, Row>();
  for (const row of rows) {
    const at = timeOf(row[time.name]);
    if (Number.isFinite(at)) byTime.set(at, row);
  }
  const times = [...byTime.keys()].sort((a, b) => a - b);
  if (times.length < 2) return null;
  const first = times[0] as number;
  const last = times.at(-1) as number;
  let step = last - first;
  for (const [index, at] of times.entries())
    if (index > 0) step = Math.min(step, at - (times[index - 1] as number));
  step = Math.max(step, (last - first) / MOST_POINTS, 1);
  const length = Math.round((last - first) / step) + 1;
  const series = numbers.map(({ name }, index) => {
    const values = Array<number | null>(length).fill(null);
    for (const [at, row] of byTime) {
      const value = Number(row[name]);
      if (Number.isFinite(value)) values[Math.round((at - first) / step)] = value;
    }
    return { key: name, label: name, color: `var(--${COLORS[index]})`, values };
  });
  return { from: first, step, series };
}

/** Returns a value as the text of a cell. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Returns rows as CSV. A cell that a spreadsheet would treat as a formula is quoted with an apostrophe. */
export function csvOf(columns: readonly ResultColumn[], rows: readonly Row[]): string {
  const cell = (value: unknown): string => {
    const text = cellText(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [
    columns.map(({ name }) => cell(name)),
    ...rows.map((row) => columns.map(({ name }) => cell(row[name]))),
  ]
    .map((line) => line.join(","))
    .join("\n");
}
