import type { RunChange } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** Invariant 4: an idempotency key stands for one run of its environment and task, until it expires. */
export class Idempotency {
  readonly #violations: Violations;
  readonly #now: () => number;
  /** When a key's claim for a run expires, by key and run. */
  readonly #claims = new Map<string, Map<string, number>>();
  /** The run of each key that does not expire during the simulation. */
  readonly #created = new Map<string, string>();

  constructor(violations: Violations, now: () => number) {
    this.#violations = violations;
    this.#now = now;
  }

  /**
   * A trigger was answered that its key stands for its own run. `skewMs` is how far the deciding clock may be
   * ahead.
   */
  claimed(key: string, runId: string, expiresAt: number, skewMs: number): void {
    const claims = this.#claims.get(key) ?? new Map<string, number>();
    this.#claims.set(key, claims.set(runId, expiresAt));
    const valid = [...claims].filter(([, until]) => until > this.#now() + skewMs);
    if (valid.length > 1)
      this.#violations.report(4, `key ${key} stands for ${valid.map(([id]) => id).join(" and for ")}`);
  }

  /** A key that does not expire creates one run, whether or not a client has seen another one. */
  changed({ environmentKey, database, before, after }: RunChange): void {
    if (before) return;
    const row = database.prepare("SELECT payload FROM payloads WHERE seq = ?").get(after.seq);
    const payload = JSON.parse((row?.payload as string | undefined) ?? "{}") as { onlyOne?: string };
    if (!payload.onlyOne) return;
    const key = `${environmentKey} ${after.task} ${payload.onlyOne}`;
    const known = this.#created.get(key);
    if (known) this.#violations.report(4, `key ${key} created ${known} and ${after.id}`);
    this.#created.set(key, after.id);
  }
}
