/** A series of a chart: one value for each step of the chart, null for a step without data. */
export interface ChartSeries {
  key: string;
  label: string;
  color: string;
  values: readonly (number | null)[];
}

const ENDS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/**
 * Returns the end of an axis for a maximum value: a round number of which the value is at least two thirds.
 */
export function roundEnd(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (ENDS.find((factor) => factor * power >= value * 0.999999) ?? 10) * power;
}

/** Returns the maximum height of a chart; for stacked series, of their sums. */
export function highest(series: readonly ChartSeries[], stacked: boolean): number {
  const length = Math.max(0, ...series.map(({ values }) => values.length));
  let most = 0;
  for (let index = 0; index < length; index++) {
    const values = series.map(({ values: own }) => own[index] ?? 0);
    const height = stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
    if (height > most) most = height;
  }
  return most;
}

export interface Box {
  width: number;
  height: number;
}

/** Returns the paths of a line through the middle of each step, with gaps where there is no value. */
export function linePath(values: readonly (number | null)[], max: number, { width, height }: Box): string {
  const step = width / Math.max(1, values.length);
  let path = "";
  let drawing = false;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      drawing = false;
      continue;
    }
    const x = ((index + 0.5) * step).toFixed(1);
    const y = (height - (max > 0 ? Math.min(1, value / max) : 0) * height).toFixed(1);
    path += `${drawing ? "L" : "M"}${x} ${y}`;
    drawing = true;
  }
  return path;
}

/** Returns isolated values between two gaps, which a line does not show. */
export function loneDots(
  values: readonly (number | null)[],
  max: number,
  { width, height }: Box,
): { x: number; y: number }[] {
  const step = width / Math.max(1, values.length);
  const at = (index: number) => values[index] ?? null;
  return values.flatMap((value, index) =>
    value === null || at(index - 1) !== null || at(index + 1) !== null
      ? []
      : [{ x: (index + 0.5) * step, y: height - (max > 0 ? Math.min(1, value / max) : 0) * height }],
  );
}

export interface Bar {
  x: number;
  y: number;
  width: number;
  height: number;
  color: string;
}

/** Returns stacked bars, one for each step and series with a value. */
export function stackedBars(series: readonly ChartSeries[], max: number, { width, height }: Box): Bar[] {
  const length = Math.max(0, ...series.map(({ values }) => values.length));
  const step = width / Math.max(1, length);
  const gap = step > 4 ? 1 : 0;
  const bars: Bar[] = [];
  for (let index = 0; index < length; index++) {
    let top = height;
    for (const { values, color } of series) {
      const value = values[index] ?? 0;
      if (value <= 0) continue;
      // A value above zero is always visible.
      const size = Math.max(1, max > 0 ? (value / max) * height : 0);
      top -= size;
      bars.push({ x: index * step, y: top, width: Math.max(0.5, step - gap), height: size, color });
    }
  }
  return bars;
}

const TIME_STEPS = [
  60_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
  86_400_000, 172_800_000, 604_800_000, 1_209_600_000, 2_592_000_000,
];

/** Returns the times to label on a time axis: round ones in the zone with the given offset from UTC in ms. */
export function timeTicks(from: number, to: number, most: number, offset = 0): number[] {
  const wanted = (to - from) / Math.max(1, most);
  const step = TIME_STEPS.find((candidate) => candidate >= wanted) ?? TIME_STEPS.at(-1)!;
  const ticks: number[] = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at < to; at += step) ticks.push(at);
  return ticks;
}
