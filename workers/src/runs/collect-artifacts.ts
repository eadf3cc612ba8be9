import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { isFinal, RUN_STATUSES } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { openBlobs } from "../storage/blobs.ts";
import { bundleKey } from "../storage/bundles.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { freshDeployment } from "./current-deployment.ts";

/** Versions of an environment, the newest and those that were current last, whose bundles are kept for a rollback. */
const KEPT_VERSIONS = 20;
/** How many versions one collection looks at: what is left is collected by the next. */
const LOOKED_AT = 200;
const UNFINISHED = RUN_STATUSES.filter((status) => !isFinal(status));

/** @throws Error where the variable is no number */
export function keptVersions({ KEEP_VERSIONS }: Pick<Bindings, "KEEP_VERSIONS">): number {
  if (!KEEP_VERSIONS) return KEPT_VERSIONS;
  const kept = Number(KEEP_VERSIONS);
  if (Number.isInteger(kept) && kept >= 1 && kept <= LOOKED_AT) return kept;
  throw new Error(`KEEP_VERSIONS is "${KEEP_VERSIONS}": give a number from 1 to ${LOOKED_AT}`);
}

/** Those that nothing but runs can need: not the current one, not the newest, not those that were current last. */
export function candidatesOf(
  deployments: DeploymentRecord[],
  currentId: string | null,
  kept: number,
): DeploymentRecord[] {
  const newest = deployments.toSorted((a, b) => b.createdAt - a.createdAt).slice(0, kept);
  const promoted = deployments
    .filter(({ promotedAt }) => promotedAt !== null)
    .sort((a, b) => (b.promotedAt ?? 0) - (a.promotedAt ?? 0))
    .slice(0, kept);
  const needed = new Set([currentId, ...newest.map(({ id }) => id), ...promoted.map(({ id }) => id)]);
  return deployments.filter(({ id, status }) => status === "DEPLOYED" && !needed.has(id));
}

/**
 * Deletes the bundles of an environment's old versions that no run needs any more. Returns those versions. A bundle that other
 * versions have too, here or in another environment, is kept as long as one of them is.
 */
export async function collectArtifacts(env: Bindings, environment: EnvironmentRef): Promise<string[]> {
  const repository = openRepository(env);
  const blobs = openBlobs(env);
  const [deployments, current] = await Promise.all([
    repository.listDeployments(environment.key, LOOKED_AT),
    freshDeployment(env, environment.key),
  ]);
  const candidates = candidatesOf(deployments, current?.deployment.id ?? null, keptVersions(env));
  const unneeded = new Set<string>();
  for (const { id, version } of candidates) {
    const filter = { versions: [version], statuses: UNFINISHED };
    const { runs } = await repository.listRuns(environment.key, filter, { limit: 1 });
    if (runs.length === 0) unneeded.add(id);
  }
  const collected: string[] = [];
  for (const { id, contentHash, version } of candidates) {
    const key = bundleKey(environment.organization.id, contentHash);
    if (!unneeded.has(id) || (await blobs.size(key)) === null) continue;
    const users = await repository.deploymentsOfBundle(contentHash);
    if (!users.every((user) => unneeded.has(user))) continue;
    await blobs.delete(key);
    collected.push(version);
  }
  return collected;
}
