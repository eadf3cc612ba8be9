import { momentOf, parseDuration } from "@acme/sdk/contract/api";

/**
 * Returns the time range of a request, in milliseconds since the epoch: `period` ends now; the default is the
 * last `usual` milliseconds.
 */
export function timeRange(
  query: { period?: string | undefined; from?: string | undefined; to?: string | undefined },
  usual: number,
): { from: number; to: number } {
  const now = Date.now();
  if (query.period !== undefined) return { from: now - (parseDuration(query.period) ?? 0), to: now };
  const at = (text: string | undefined): number | null => (text === undefined ? null : momentOf(text, now));
  // Records of this moment may have slightly later times, because clocks differ.
  const to = at(query.to) ?? now + 60_000;
  return { from: at(query.from) ?? to - usual, to };
}
