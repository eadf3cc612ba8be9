/** Returns the SVG paths of the area below a step line; `max` is at the top. */
export function stepPaths(
  values: readonly number[],
  { width, height, max }: { width: number; height: number; max: number },
): { line: string; area: string } {
  if (values.length === 0) return { line: "", area: "" };
  const step = width / values.length;
  const at = (value: number): string => (height - (max === 0 ? 0 : (value / max) * height)).toFixed(1);
  let line = "";
  for (const [index, value] of values.entries()) {
    const [from, to] = [(index * step).toFixed(1), ((index + 1) * step).toFixed(1)];
    line += `${index === 0 ? "M" : "L"}${from} ${at(value)}H${to}`;
  }
  return { line, area: `${line}V${height}H0Z` };
}

const ENDS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/**
 * Returns the end of an axis for a maximum value: a round number, at least 4, of which the value is at least
 * two thirds.
 */
export function axisEnd(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  const end = ENDS.find((factor) => factor * power >= value) ?? 10;
  return Math.max(4, end * power);
}
