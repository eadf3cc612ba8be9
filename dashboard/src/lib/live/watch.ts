import type { EnvironmentScope } from "../frame/scope.ts";
import type { RunList } from "../runs/run-list.svelte.ts";

const EVERY_MS = 1_500;

/** Keeps a list of runs up to date until the returned function is called. */
export function watchRuns(_scope: EnvironmentScope, list: RunList): () => void {
  const timer = setInterval(() => {
    if (!document.hidden) void list.refresh().catch(() => {});
  }, EVERY_MS);
  return () => clearInterval(timer);
}
