import { currentRun } from "./state.ts";

export const timeout = {
  /** The value of `maxDuration` for no limit. */
  None: 2_147_483_647,
  /** The current run's signal: aborted when the run is canceled or exceeds its `maxDuration`. */
  get signal(): AbortSignal | undefined {
    return currentRun()?.signal;
  },
};
