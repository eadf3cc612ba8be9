import { scopedConfiguration } from "../client/configuration-scope.ts";
import type { Context } from "../run/context.ts";
import { currentRun } from "../run/state.ts";

/** The run that triggers; undefined outside of a run, and for a client that has nothing to do with it. */
export const triggeringRun = (): Context["run"] | undefined =>
  scopedConfiguration()?.isDetached ? undefined : currentRun()?.ctx.run;
