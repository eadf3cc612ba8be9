import type { RunLease } from "./run-tokens.ts";

/**
 * The latest lease of each run that is known to have ended, each remembered for `keepMs` at least, unless there are more than
 * `most` of that age. Entries are dropped by generation, so that none needs a time of its own: each run of a busy server adds one.
 */
export class EndedLeases {
  readonly #keepMs: number;
  readonly #most: number;
  /** Fencing tokens by run: a text of both as the key would be a new one for each run. */
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #since = 0;

  constructor(keepMs: number, most: number) {
    this.#keepMs = keepMs;
    this.#most = most;
  }

  add({ runId, token }: RunLease, now: number): void {
    if (now - this.#since >= this.#keepMs || this.#young.size >= this.#most) {
      this.#old = now - this.#since >= 2 * this.#keepMs ? new Map() : this.#young;
      this.#young = new Map();
      this.#since = now;
    }
    this.#young.set(runId, token);
  }

  /** A later lease of a run ends the earlier ones. */
  has({ runId, token }: RunLease): boolean {
    return token <= (this.#young.get(runId) ?? this.#old.get(runId) ?? -1);
  }
}
