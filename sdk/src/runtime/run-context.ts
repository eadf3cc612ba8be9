import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt } from "./attempt.ts";

/** What the code that runs is part of. */
export interface RunContext {
  readonly attempt: Attempt;
  /** Part of something that is one operation, or of the SDK: nothing is recorded. Says what, like `step "charge"`. */
  readonly inside: string | undefined;
}

export const runContext = new AsyncLocalStorage<RunContext>();
