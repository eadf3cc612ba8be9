import type { InvariantNumber } from "../checks/violations.ts";
import type { Scenario } from "../scenario.ts";

/** A change of the code under test that breaks an invariant, and that the simulation has to find. */
export interface Mutation {
  /** What the code does wrong then. */
  name: string;
  /** The invariant that the simulation must find broken. */
  invariant: InvariantNumber;
  /** Path of the module, from the repository's root. */
  module: string;
  /** Must be there exactly once. */
  find: string;
  replace: string;
  /** Only in this kind of scenario; absent: in whatever a seed draws. */
  kind?: Scenario["kind"];
}

/** Returns the module's text with the change. Throws when the text to replace is missing: the mutation has to follow the code. */
export function mutate(source: string, { name, module, find, replace }: Mutation): string {
  const parts = source.split(find);
  if (parts.length !== 2) {
    throw new Error(
      `Mutation "${name}" expects this text exactly once in ${module}, and it is there ${parts.length - 1} times: ${find}`,
    );
  }
  return parts.join(replace);
}
