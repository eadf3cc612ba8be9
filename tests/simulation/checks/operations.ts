import type { DequeuedRun, OperationResult } from "@acme/sdk/contract";
import type { Outcomes } from "./outcomes.ts";
import type { Violations } from "./violations.ts";

/** Invariant 7: an operation is performed once, and returns the same result each time the code reaches it. */
export class Operations {
  readonly #violations: Violations;
  readonly #outcomes: Outcomes;
  readonly #recorded = new Set<string>();
  readonly #targets = new Map<string, string>();
  readonly #results = new Map<string, string>();

  constructor(violations: Violations, outcomes: Outcomes) {
    this.#violations = violations;
    this.#outcomes = outcomes;
  }

  /** A step's function is called: never again once its result is in the journal. */
  performed(run: DequeuedRun, number: number): void {
    const key = keyOf(run, number);
    if (this.#recorded.has(key)) this.#violations.report(7, `step ${key} was performed again`);
  }

  recorded(run: DequeuedRun, number: number): void {
    this.#recorded.add(keyOf(run, number));
  }

  /** The child, batch or token of an operation: it never has a second one. */
  target(run: DequeuedRun, number: number, target: string): void {
    const key = keyOf(run, number);
    const known = this.#targets.get(key);
    if (known && known !== target) this.#violations.report(7, `${key} has ${known} and ${target}`);
    this.#targets.set(key, target);
  }

  /**
   * The task's code received an operation's result, which must be the same each time and never arrive before
   * the child has ended.
   */
  returned(run: DequeuedRun, number: number, result: OperationResult, waits: boolean): void {
    const key = keyOf(run, number);
    const text = JSON.stringify(result);
    const known = this.#results.get(key);
    if (known && known !== text) this.#violations.report(7, `${key} returned ${known}, then ${text}`);
    this.#results.set(key, text);
    const target = this.#targets.get(key);
    if (waits && target?.startsWith("run_") && !this.#outcomes.has(target))
      this.#violations.report(7, `${key} returned before its child ${target} was over`);
  }

  /** The results that operations received for tokens. */
  *tokenResults(): Generator<[tokenId: string, result: string]> {
    for (const [key, target] of this.#targets) {
      const result = this.#results.get(key);
      if (result && target.startsWith("waitpoint_")) yield [target, result];
    }
  }
}

const keyOf = (run: DequeuedRun, number: number): string =>
  `operation ${number} of attempt ${run.attempt} of ${run.runId}`;
