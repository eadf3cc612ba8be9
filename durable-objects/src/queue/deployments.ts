import type { DeploymentRef } from "../routing/refs.ts";
import type { QueueContext } from "./context.ts";

/** Remembers a deployment that runs of this queue are locked to. */
export function saveDeployment(q: QueueContext, deployment: DeploymentRef): void {
  if (q.deployments.has(deployment.id)) return;
  q.sql.exec(
    "INSERT INTO deployments (id, version, content_hash) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
    deployment.id,
    deployment.version,
    deployment.contentHash,
  );
  q.deployments.set(deployment.id, deployment);
}

export function findDeployment(q: QueueContext, id: string): DeploymentRef | undefined {
  const known = q.deployments.get(id);
  if (known) return known;
  const found = q.sql.exec<{ id: string; version: string; contentHash: string }>(
    "SELECT id, version, content_hash AS contentHash FROM deployments WHERE id = ?",
    id,
  )[0];
  if (found) q.deployments.set(id, found);
  return found;
}
