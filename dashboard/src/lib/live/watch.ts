import type { LiveClient } from "@acme/sdk/live";
import type { EnvironmentApi } from "../api/environment-api.ts";
import type { RunList } from "../runs/run-list.svelte.ts";
import { liveFilter } from "./filter.ts";

/** The newest rows that are kept up to date by the socket. */
const ROWS = 200;

/** Keeps a list of runs up to date until the returned function is called. */
export function watchRuns(live: LiveClient, api: EnvironmentApi, list: RunList): () => void {
  let known = new Map<string, string>();
  let closed = false;
  const subscription = live.runs(
    { filter: liveFilter(list.filters, Date.now()), limit: ROWS },
    ({ runs }) => {
      const current = new Map(runs.map(({ id, createdAt }) => [id, createdAt]));
      const oldest = runs.at(-1)?.createdAt ?? "";
      list.apply(runs);
      // A run that no longer matches the filter is not sent any more, but its row still shows its new state.
      for (const [id, createdAt] of known) {
        if (current.has(id) || createdAt < oldest || !list.has(id)) continue;
        api.retrieveRun(id).then(
          (run) => closed || list.apply([run]),
          () => {},
        );
      }
      known = current;
    },
    { onError: (error) => console.warn("The runs can't be watched live", error.message) },
  );
  return () => {
    closed = true;
    subscription.unsubscribe();
  };
}
