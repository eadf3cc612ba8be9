import { scopedConfiguration } from "../client/configuration-scope.ts";
import type { Context } from "../run/context.ts";
import { currentRun } from "../run/state.ts";

/** The run that triggers; undefined outside a run, and for a client that is independent of it. */
export const triggeringRun = (): Context["run"] | undefined =>
  scopedConfiguration()?.isDetached ? undefined : currentRun()?.ctx.run;
