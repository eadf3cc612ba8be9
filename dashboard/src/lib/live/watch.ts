import type { LiveClient } from "@acme/sdk/live";
import type { RunList } from "../runs/run-list.svelte.ts";
import { liveFilter } from "./filter.ts";

/** The newest runs that are sent when the subscription begins, and again after changes were missed. */
const ROWS = 200;

/** Keeps a list of runs up to date, all of its loaded rows, until the returned function is called. */
export function watchRuns(live: LiveClient, list: RunList): () => void {
  let isFirst = true;
  const subscription = live.runs(
    { filter: liveFilter(list.filters, Date.now()), limit: ROWS, left: true },
    ({ update }) => {
      list.apply(update.runs);
      list.leave(update.left);
      if (update.kind === "snapshot" && !isFirst)
        list.reread().catch((error: unknown) => console.warn("The rows could not be read again", error));
      isFirst = false;
    },
    { onError: (error) => console.warn("The runs can't be watched live", error.message) },
  );
  return () => subscription.unsubscribe();
}
