import type { RunChange } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

interface Claim {
  runId: string;
  /** When the key may stand for another run; milliseconds since the epoch. 0: that is up to an earlier trigger. */
  expiresAt: number;
}

/** Invariant 4: an idempotency key stands for one run of its environment and task, until it expires. */
export class Idempotency {
  readonly #violations: Violations;
  readonly #now: () => number;
  readonly #claims = new Map<string, Claim>();
  /** Runs by key, of keys that never expire here. */
  readonly #created = new Map<string, string>();

  constructor(violations: Violations, now: () => number) {
    this.#violations = violations;
    this.#now = now;
  }

  /** A trigger with a key was acknowledged. `skewMs`: how far the clock of whoever decided may be ahead. */
  acknowledged(key: string, claim: Claim, skewMs: number): void {
    const known = this.#claims.get(key);
    if (known && known.runId !== claim.runId && this.#now() + skewMs < known.expiresAt)
      this.#violations.report(4, `key ${key} stands for ${known.runId} and for ${claim.runId}`);
    if (known?.runId !== claim.runId) this.#claims.set(key, claim);
    else known.expiresAt = Math.max(known.expiresAt, claim.expiresAt);
  }

  /** Of runs with a key that doesn't expire there is one, whether or not anybody was told of the others. */
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
