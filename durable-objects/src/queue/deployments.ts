import type { DeploymentRef } from "../rpc.ts";
import type { QueueContext } from "./context.ts";

/** Remembers a deployment that runs of this queue are locked to. */
export function saveDeployment(q: QueueContext, deployment: DeploymentRef): void {
  q.sql.exec(
    "INSERT INTO deployments (id, version, content_hash) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
    deployment.id,
    deployment.version,
    deployment.contentHash,
  );
}

export function findDeployment(q: QueueContext, id: string): DeploymentRef | undefined {
  return q.sql.exec<{ id: string; version: string; contentHash: string }>(
    "SELECT id, version, content_hash AS contentHash FROM deployments WHERE id = ?",
    id,
  )[0];
}
