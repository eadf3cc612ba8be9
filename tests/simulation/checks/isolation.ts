import { parseRunId } from "@acme/sdk/contract";
import type { RunChange } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** The text that an intruder writes: data that contains it was changed from another environment. */
export const INTRUDER = "intruder";

/** Invariant 9: calls with another environment's key read and change nothing. */
export class Isolation {
  readonly #violations: Violations;

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  /** Another environment's call was answered. */
  answered(call: string, answer: unknown): void {
    if (!isNothing(answer)) this.#violations.report(9, `${call} was answered ${JSON.stringify(answer)}`);
  }

  changed({ queueKey, after }: RunChange): void {
    if (parseRunId(after.id)?.queueKey !== queueKey)
      this.#violations.report(9, `${after.id} lies in queue ${queueKey}`);
    if (after.tags.includes(INTRUDER) || after.error_message?.includes(INTRUDER))
      this.#violations.report(9, `${after.id} was changed from another environment`);
  }
}

function isNothing(answer: unknown): boolean {
  if (answer === null || answer === undefined || answer === "gone") return true;
  if (typeof answer !== "object") return false;
  if ("error" in answer) return true;
  return ("reset" in answer && answer.reset === false) || ("ok" in answer && answer.ok === false);
}
