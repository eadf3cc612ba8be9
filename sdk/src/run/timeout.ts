import { currentRun } from "./state.ts";

export const timeout = {
  /** As `maxDuration`: no limit. */
  None: 2_147_483_647,
  /** The signal of the run that calls it: aborted when it is canceled or exceeds its `maxDuration`. */
  get signal(): AbortSignal | undefined {
    return currentRun()?.signal;
  },
};
