export const METRICS_MINUTE_MS = 60_000;

/** Upper ends of the classes that start delays are counted in, in milliseconds. Longer ones are in one more class. */
export const DELAY_CLASSES_MS = [
  10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  1_800_000, 3_600_000, 10_800_000, 43_200_000, 86_400_000,
] as const;
