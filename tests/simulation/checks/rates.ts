import { type RateLimit, RunStatus } from "@acme/sdk/contract";
import type { RunChange } from "./run-changes.ts";
import type { LimitedPlaces } from "./slots.ts";
import type { Violations } from "./violations.ts";

/** Objects see time in whole milliseconds. */
const TOLERANCE_MS = 1;

/**
 * Invariant 3 for rate limits: at each lease, the generic cell rate algorithm over all leases so far allows
 * it. A paused queue leases nothing.
 */
export class Rates {
  readonly #violations: Violations;
  readonly #places: LimitedPlaces;
  readonly #now: () => number;
  /** False if clocks are changed, because each change allows some more starts. */
  readonly #measures: boolean;
  /** When each limiter will have recovered. */
  readonly #recovered = new Map<string, number>();
  readonly #paused = new Set<string>();

  constructor(violations: Violations, places: LimitedPlaces, now: () => number, measures: boolean) {
    this.#violations = violations;
    this.#places = places;
    this.#now = now;
    this.#measures = measures;
  }

  /** Queues between the acknowledgment of a pause and the request to end it. */
  paused(queueKey: string, paused: boolean): void {
    if (paused) this.#paused.add(queueKey);
    else this.#paused.delete(queueKey);
  }

  changed({ queueKey, before, after }: RunChange): void {
    if (after.status !== RunStatus.DEQUEUED || before?.token === after.token) return;
    const first = this.#places.firstOf(queueKey);
    if (this.#paused.has(first))
      this.#violations.report(3, `${after.id} was leased while its queue ${queueKey} was paused`);
    // A run that resumes after a wait was counted when it started.
    if (after.journal_attempt === after.attempt + 1) return;
    const limits = this.#places.limits.get(first);
    if (!this.#measures || !limits) return;
    if (limits.rateLimit) this.#spend(first, limits.rateLimit, after.id);
    if (limits.rateLimitPerKey)
      this.#spend(`${queueKey} '${after.concurrency_key}'`, limits.rateLimitPerKey, after.id);
  }

  #spend(limiter: string, { limit, period, burst = 1 }: RateLimit, runId: string): void {
    const now = this.#now();
    const interval = period / limit;
    const recovered = Math.max(this.#recovered.get(limiter) ?? 0, now) + interval;
    this.#recovered.set(limiter, recovered);
    if (recovered - now > interval * burst + TOLERANCE_MS)
      this.#violations.report(
        3,
        `${runId} was leased by ${limiter} ${recovered - now - interval * burst} ms too early for ${limit} in ${period} ms, burst ${burst}`,
      );
  }
}
