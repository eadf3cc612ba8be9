import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { isFinal, RUN_STATUSES } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { freshDeployment } from "../runs/current-deployment.ts";
import { openBlobs } from "../storage/blobs.ts";
import { bundleKey } from "../storage/bundles.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord, Repository } from "../storage/repository.ts";

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
 * Marks the old versions that no run needs any more: from then on they can't be promoted, and no run can be
 * triggered on them. `save` stores their ids first, at once. `isWaiting`: there are others that only their
 * runs need.
 */
export async function claimUnneeded(
  env: Bindings,
  environment: EnvironmentRef,
  save: (ids: string[]) => void,
): Promise<{ claims: string[]; isWaiting: boolean }> {
  const repository = openRepository(env);
  const [deployments, current] = await Promise.all([
    repository.listDeployments(environment.key, LOOKED_AT, { kept: true }),
    freshDeployment(env, environment.key),
  ]);
  const candidates = candidatesOf(deployments, current?.deployment.id ?? null, keptVersions(env));
  const claims: string[] = [];
  for (const candidate of candidates) if (!(await hasRuns(repository, candidate))) claims.push(candidate.id);
  save(claims);
  const now = Date.now();
  for (const id of claims) await repository.markCollected(id, now);
  return { claims, isWaiting: claims.length < candidates.length };
}

/**
 * Deletes the bundles of claimed versions, or takes the claim back where one became current or got a run in the moment before.
 * A bundle that another version has too, here or in another environment, goes with the last of them.
 */
export async function deleteClaimed(
  env: Bindings,
  environment: EnvironmentRef,
  ids: string[],
): Promise<void> {
  if (ids.length === 0) return;
  const repository = openRepository(env);
  const current = await freshDeployment(env, environment.key);
  for (const id of ids) {
    const claimed = await repository.findDeployment(id);
    if (!claimed || claimed.collectedAt === null) continue;
    if (id === current?.deployment.id || (await hasRuns(repository, claimed)))
      await repository.markCollected(id, null);
    else await deleteBundle(env, repository, environment, claimed.contentHash);
  }
}

async function deleteBundle(
  env: Bindings,
  repository: Pick<Repository, "isBundleKept">,
  environment: EnvironmentRef,
  contentHash: string,
): Promise<void> {
  if (await repository.isBundleKept(contentHash)) return;
  const blobs = openBlobs(env);
  const key = bundleKey(environment.organization.id, contentHash);
  const stream = await blobs.get(key);
  if (!stream) return;
  const bytes = await new Response(stream).arrayBuffer();
  await blobs.delete(key);
  // The same code was deployed in this moment, and its deployment found the bundle still there.
  if (await repository.isBundleKept(contentHash)) await blobs.put(key, bytes);
}

async function hasRuns(
  repository: Pick<Repository, "listRuns">,
  { environmentKey, version }: DeploymentRecord,
): Promise<boolean> {
  const filter = { versions: [version], statuses: UNFINISHED };
  const { runs } = await repository.listRuns(environmentKey, filter, { limit: 1 });
  return runs.length > 0;
}
