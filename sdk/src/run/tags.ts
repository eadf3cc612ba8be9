import { UnprocessableEntityError } from "../client/api-errors.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { addRunTags } from "../client/runs-api.ts";
import { currentRun } from "./state.ts";

/**
 * Adds tags to the run that calls it, at most 10 in all. Too many are logged as an error, and none is added.
 * @throws Error outside of a task; ApiError
 */
async function add(tags: string | string[], options?: ApiRequestOptions): Promise<void> {
  const run = currentRun();
  if (!run)
    throw new Error("Can't set tags outside of a run. You can trigger a task and set tags in the options.");
  // They were added before the run was suspended.
  if (run.replaying) return;
  try {
    await addRunTags(run.ctx.run.id, tags, options);
  } catch (error) {
    if (!(error instanceof UnprocessableEntityError)) throw error;
    run.log("error", error.message, { existingTags: run.ctx.run.tags, newTags: tags });
  }
}

export const tags = { add };
