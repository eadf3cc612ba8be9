import type { JournalEntry } from "../contract/journal.ts";
import { UNKNOWN_ITEMS } from "../wait/durable.ts";

/** A replay's operations are not those of its journal. */
export class NonDeterministicError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NonDeterministicError";
  }
}

type Called = Pick<JournalEntry, "number" | "kind" | "name" | "location">;

/** Undefined: what is called now is what the journal has under this number. */
export function mismatchOf(recorded: JournalEntry, called: Called): NonDeterministicError | undefined {
  const { kind, name } = called;
  // When a wait ends is computed from the clock: what was recorded counts. A batch is named by its items, as far as they are known.
  const isNamed = kind !== "wait" && !(name === UNKNOWN_ITEMS && /^batch/.test(kind));
  const same = recorded.kind === kind && (!isNamed || recorded.name === name);
  if (same) return undefined;
  return new NonDeterministicError(
    `Operation ${called.number} of this run was ${described(recorded)} before it was suspended, but now it is ${described(called)}. ` +
      "A task has to start the same operations in the same order each time it is resumed: put what can differ " +
      "(reads of files and databases, environment, native clocks) into step(), and deploy changed code as a new version",
  );
}

const described = ({ kind, name, location }: Omit<Called, "number">): string =>
  `${WORDS[kind]} "${name}"${location ? ` (${location})` : ""}`;

const WORDS: Record<JournalEntry["kind"], string> = {
  wait: "the wait until",
  token: "the wait for token",
  run: "triggerAndWait of",
  batch: "batchTriggerAndWait of",
  trigger: "trigger of",
  "batch-trigger": "batchTrigger of",
  step: "step",
};
