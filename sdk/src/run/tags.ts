import { UnprocessableEntityError } from "../client/api-errors.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { addRunTags } from "../client/runs-api.ts";
import { currentRun } from "./state.ts";

/**
 * Adds tags to the current run, which can have at most 10. If there are too many, none is added and an error
 * is logged.
 * @throws Error outside of a task; ApiError
 */
async function add(tags: string | string[], options?: ApiRequestOptions): Promise<void> {
  const run = currentRun();
  if (!run)
    throw new Error(
      "tags.add() can only be called inside a task's run. To tag a run when it is triggered, use the option `tags`.",
    );
  // The tags were added before the run was suspended.
  if (run.replaying) return;
  try {
    await addRunTags(run.ctx.run.id, tags, options);
  } catch (error) {
    if (!(error instanceof UnprocessableEntityError)) throw error;
    run.log("error", error.message, { existingTags: run.ctx.run.tags, newTags: tags });
  }
}

export const tags = { add };
