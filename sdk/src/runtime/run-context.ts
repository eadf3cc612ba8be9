import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt } from "./attempt.ts";

/** The run that the executing code is part of. */
export interface RunContext {
  readonly attempt: Attempt;
  /**
   * Set inside code that is one operation or part of the SDK, where nothing is recorded. Names that code,
   * such as `step "charge"`.
   */
  readonly inside: string | undefined;
}

export const runContext = new AsyncLocalStorage<RunContext>();
