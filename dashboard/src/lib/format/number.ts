const grouped = new Intl.NumberFormat("en-US");

/** `1,204`. */
export const formatCount = (value: number): string => grouped.format(value);

/** `842`, `12.4k`, `3.1M`. */
export function formatCompact(value: number): string {
  if (value < 10_000) return formatCount(value);
  const [size, unit] = value < 1_000_000 ? [1_000, "k"] : [1_000_000, "M"];
  const scaled = value / Number(size);
  return `${scaled < 100 ? Number(scaled.toFixed(1)) : Math.round(scaled)}${unit}`;
}

/** `812 B`, `12 KB`, `3.1 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const [size, unit] = bytes < 1_048_576 ? [1_024, "KB"] : [1_048_576, "MB"];
  const scaled = bytes / Number(size);
  return `${scaled < 10 ? Number(scaled.toFixed(1)) : Math.round(scaled)} ${unit}`;
}

/** `1 run`, `1,204 runs`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;
