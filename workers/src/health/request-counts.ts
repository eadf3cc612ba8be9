/** Answers of this isolate, by the first digit of their status. On one machine there is one isolate; on Cloudflare, many. */
const counts = new Map<string, number>();

export function countAnswer(status: number): void {
  const digit = `${Math.floor(status / 100)}xx`;
  counts.set(digit, (counts.get(digit) ?? 0) + 1);
}

export const answerCounts = (): [string, number][] => [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
