const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
] as const;

/** `<1 ms`, `250 ms`, `1.4 s`, `3m 20s`, `2h 5m`, `4d 1h`. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 1) return "<1 ms";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const largest = UNITS.findIndex(([size]) => ms >= size);
  const [size, unit] = UNITS[largest] as (typeof UNITS)[number];
  const [nextSize, nextUnit] = UNITS[largest + 1] as (typeof UNITS)[number];
  const rest = Math.floor((ms % size) / nextSize);
  return `${Math.floor(ms / size)}${unit}${rest > 0 ? ` ${rest}${nextUnit}` : ""}`;
}

/** `just now`, `12s ago`, `3m ago`, `2h ago`, `5d ago`, and `in 5m` for future times. */
export function relativeTime(time: Date, now: number): string {
  const ms = now - time.getTime();
  const unit = UNITS.find(([size]) => Math.abs(ms) >= size);
  if (!unit) return "just now";
  const amount = `${Math.floor(Math.abs(ms) / unit[0])}${unit[1]}`;
  return ms > 0 ? `${amount} ago` : `in ${amount}`;
}
