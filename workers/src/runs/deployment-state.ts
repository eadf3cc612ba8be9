import type { DeploymentState } from "@acme/sdk/contract/api";
import type { DeploymentRecord } from "../storage/repository.ts";

/** After this long without news, the process that builds an image counts as dead. */
export const BUILD_DEADLINE_MS = 60 * 60_000;

export const deploymentState = (
  { createdAt, status }: Pick<DeploymentRecord, "createdAt" | "status">,
  now = Date.now(),
): DeploymentState => (status === "BUILDING" && now - createdAt > BUILD_DEADLINE_MS ? "TIMED_OUT" : status);
