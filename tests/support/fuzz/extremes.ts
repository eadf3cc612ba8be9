import type { Schema } from "./json-texts.ts";

/**
 * Numbers that are not valid times, sizes or counts, or that are not exactly representable; largest first.
 */
const EXTREMES = [
  1e300, 9_007_199_254_740_991, 8_640_000_000_000_001, 253_402_300_800_000, -8_640_000_000_000_001, -1e300,
  1e-300,
];

/**
 * Returns the extreme numbers that a schema accepts, as JSON. Whatever it accepts must be safe wherever it is
 * used.
 */
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
