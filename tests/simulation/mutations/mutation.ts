import type { InvariantNumber } from "../checks/violations.ts";
import type { Scenario } from "../scenario.ts";

/** A change of the code under test that breaks an invariant and that the simulation must find. */
export interface Mutation {
  /** What the changed code does wrong. */
  name: string;
  /** The invariant that the simulation must find broken. */
  invariant: InvariantNumber;
  /** Path of the module, from the repository's root. */
  module: string;
  /** Must occur exactly once. */
  find: string;
  replace: string;
  /** Run only in this kind of scenario; absent: in the kind that a seed draws. */
  kind?: Scenario["kind"];
}

/**
 * Returns the module's text with the change. Throws if the text to replace is missing: the mutation must be
 * adapted to the code.
 */
export function mutate(source: string, { name, module, find, replace }: Mutation): string {
  const parts = source.split(find);
  if (parts.length !== 2) {
    throw new Error(
      `Mutation "${name}" expects this text exactly once in ${module}, and it is there ${parts.length - 1} times: ${find}`,
    );
  }
  return parts.join(replace);
}
