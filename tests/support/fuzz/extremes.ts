import type { Schema } from "./json-texts.ts";

/** Numbers that are no time, no size and no count, or not exactly themselves; largest first. */
const EXTREMES = [
  1e300, 9_007_199_254_740_991, 8_640_000_000_000_001, 253_402_300_800_000, -8_640_000_000_000_001, -1e300,
  1e-300,
];

/** Extreme numbers that a schema accepts: what it lets through has to be safe wherever it is used. As JSON. */
export function extremesOf({
  maximum = Number.POSITIVE_INFINITY,
  minimum = Number.NEGATIVE_INFINITY,
  type,
}: Schema): string[] {
  const isInteger = [type].flat().includes("integer");
  return EXTREMES.filter(
    (value) => value >= minimum && value <= maximum && (!isInteger || Number.isSafeInteger(value)),
  ).map(String);
}
