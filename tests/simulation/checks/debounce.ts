import { RunStatus } from "@acme/sdk/contract";
import type { RunChange } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** Prefix of the tag by which the simulation recognizes the debounce key of a run. */
export const DEBOUNCE_TAG = "debounce:";

/** Invariant 4 for debounce keys: at most one run of an environment, task and key is DELAYED, in whichever queue. */
export class Debounce {
  readonly #violations: Violations;
  readonly #waiting = new Map<string, string>();

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  changed({ environmentKey, after }: RunChange): void {
    const tag = (JSON.parse(after.tags) as string[]).find((tag) => tag.startsWith(DEBOUNCE_TAG));
    if (tag === undefined) return;
    const key = `${environmentKey} ${after.task} ${tag}`;
    const other = this.#waiting.get(key);
    if (after.status !== RunStatus.DELAYED) {
      if (other === after.id) this.#waiting.delete(key);
      return;
    }
    if (other !== undefined && other !== after.id)
      this.#violations.report(4, `${other} and ${after.id} both wait for ${key}`);
    this.#waiting.set(key, after.id);
  }
}
