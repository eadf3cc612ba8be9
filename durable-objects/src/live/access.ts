import type { LiveTarget } from "@acme/sdk/contract/live";
import type { RunRow } from "../rpc.ts";
import type { LiveFailure, LivePrincipal } from "./rpc.ts";

/** Header with the authenticated principal that opens a connection. The Worker sets it. */
export const LIVE_PRINCIPAL_HEADER = "x-acme-live-principal";

/**
 * Returns whether one of the scopes allows reading this: `read`, `*` or `admin` of the type, with or without
 * the id.
 */
function allows(scopes: string[], type: string, id?: string): boolean {
  return scopes.some((scope) => {
    if (scope === "admin") return true;
    const [action, of, ...rest] = scope.split(":");
    if (action !== "read" && action !== "*") return false;
    if (of !== type && of !== "all") return false;
    return rest.length === 0 || (id !== undefined && rest.join(":") === id);
  });
}

/** Returns whether the scopes allow reading one run: by the run, its task, one of its tags or its batch. */
export function mayReadRun(principal: LivePrincipal, run: RunRow): boolean {
  const { scopes } = principal;
  if (scopes === null) return true;
  return (
    allows(scopes, "runs", run.id) ||
    allows(scopes, "tasks", run.task) ||
    allows(scopes, "tags") ||
    run.tags.some((tag) => allows(scopes, "tags", tag)) ||
    (run.batchId !== null && allows(scopes, "batch", run.batchId))
  );
}

/** Checks a target without looking at its runs. Returns null if the scopes allow watching it. */
export function mayWatch(principal: LivePrincipal, target: LiveTarget): LiveFailure | null {
  const { scopes } = principal;
  if (scopes === null) return null;
  switch (target.kind) {
    case "run":
    case "logs":
    case "stream":
      return null;
    case "batch":
      return allows(scopes, "batch", target.batchId) || allows(scopes, "runs")
        ? null
        : notAllowed(scopes, `read:batch:${target.batchId} or read:runs`);
    case "runs": {
      const { tags, allTags, tasks } = target.filter;
      const allowed =
        allows(scopes, "runs") ||
        allows(scopes, "tags") ||
        allTags?.some((tag) => allows(scopes, "tags", tag)) ||
        tags?.every((tag) => allows(scopes, "tags", tag)) ||
        tasks?.every((task) => allows(scopes, "tasks", task));
      return allowed ? null : notAllowed(scopes, "read:runs, or read:tags:TAG for the tags asked for");
    }
    case "environment":
      return allows(scopes, "runs") ? null : notAllowed(scopes, "read:runs");
  }
}

export const notAllowed = (scopes: string[], needs: string): LiveFailure => ({
  error: {
    status: 403,
    code: "not_allowed",
    message: `This public token does not allow that: it has ${scopes.join(", ") || "no scopes"}. It takes ${needs}.`,
  },
});
