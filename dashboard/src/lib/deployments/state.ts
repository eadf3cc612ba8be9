import type { Deployment } from "../api/environment-api.ts";

/** Returns how a deployment's state is shown; undefined if it is deployed, which needs no label. */
export function stateOf({
  status,
}: Pick<Deployment, "status">): { label: string; token: string } | undefined {
  if (status === "DEPLOYED") return undefined;
  if (status === "FAILED") return { label: "Build failed", token: "failed" };
  if (status === "TIMED_OUT") return { label: "Timed out", token: "timedout" };
  return { label: "Building", token: "executing" };
}
