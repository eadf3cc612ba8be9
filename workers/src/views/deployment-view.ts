import type { DeploymentBody, DeploymentListItem } from "@acme/sdk/contract/api";
import { deploymentState } from "../runs/deployment-state.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { isoTime } from "./time.ts";

export const deploymentView = (deployment: DeploymentRecord, currentId: string | null): DeploymentBody => ({
  id: deployment.id,
  version: deployment.version,
  status: deploymentState(deployment),
  contentHash: deployment.contentHash,
  image: deployment.hasImage
    ? { repository: deployment.imageRepository ?? undefined, digest: deployment.imageDigest ?? undefined }
    : undefined,
  error: deployment.failure ?? undefined,
  tasks: deployment.manifest.tasks.map((task) => task.id),
  createdAt: isoTime(deployment.createdAt),
  promoted: deployment.id === currentId,
  promotedAt: deployment.promotedAt === null ? undefined : isoTime(deployment.promotedAt),
});

/** A deployment as Trigger.dev's published client reads it. */
export const deploymentItemView = (deployment: DeploymentRecord): DeploymentListItem => {
  const status = deploymentState(deployment);
  return {
    id: deployment.id,
    createdAt: isoTime(deployment.createdAt),
    shortCode: deployment.id.slice(-8),
    version: deployment.version,
    runtime: deployment.manifest.runtime,
    runtimeVersion: null,
    status,
    deployedAt: status === "DEPLOYED" ? isoTime(deployment.finishedAt ?? deployment.createdAt) : undefined,
  };
};
