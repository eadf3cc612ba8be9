import type { JournalEntry } from "../contract/journal.ts";
import { UNKNOWN_ITEMS } from "../wait/durable.ts";

/** The operations of a replay differ from those in its journal. */
export class NonDeterministicError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NonDeterministicError";
  }
}

type Called = Pick<JournalEntry, "number" | "kind" | "name" | "location">;

/**
 * Returns an error if the operation that is called differs from the one that the journal has under this
 * number.
 */
export function mismatchOf(recorded: JournalEntry, called: Called): NonDeterministicError | undefined {
  const { kind, name } = called;
  // The end of a wait is computed from the clock, and the recorded one counts. A batch whose items are not
  // known has no name.
  const isNamed = kind !== "wait" && !(name === UNKNOWN_ITEMS && /^batch/.test(kind));
  const same = recorded.kind === kind && (!isNamed || recorded.name === name);
  if (same) return undefined;
  return new NonDeterministicError(
    `Operation ${called.number} of this run was ${described(recorded)} before it was suspended, but now it is ${described(called)}. ` +
      "A task has to start the same operations in the same order each time it is resumed. Move everything that can differ " +
      "(reads of files and databases, environment, native clocks) into step(), and deploy changed code as a new version.",
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
