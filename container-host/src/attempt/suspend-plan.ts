import type { RuntimeToHost } from "@acme/sdk/contract";

type Waits = Extract<RuntimeToHost, { type: "waiting" }>["waits"];

/**
 * How long a run waits in memory for an operation whose end is not known (a child, a batch, a token), because
 * it often ends soon.
 */
const OPEN_END_MS = 1_000;

/**
 * Returns the milliseconds after which a run that only waits is suspended; null if a wait ends soon enough to
 * stay in memory. `now`: milliseconds since the epoch. `suspendAfterMs`: the project's threshold, the longest
 * wait in memory.
 */
export function suspendInMs(waits: Waits, now: number, suspendAfterMs: number): number | null {
  const ends = waits.flatMap(({ until }) => (until === undefined ? [] : [until]));
  if (ends.length > 0 && Math.min(...ends) - now <= suspendAfterMs) return null;
  return ends.length === waits.length ? 0 : Math.min(suspendAfterMs, OPEN_END_MS);
}
