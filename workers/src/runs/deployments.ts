import { log } from "@acme/durable-objects/lib/log";
import { objectOf } from "@acme/durable-objects/routing";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { timingProblem } from "@acme/durable-objects/schedules";
import type { WorkerManifest } from "@acme/sdk/contract";
import type { ArtifactsRpc } from "../artifacts/rpc.ts";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf } from "../objects.ts";
import { openBlobs } from "../storage/blobs.ts";
import { bundleKey, formerBundleKey } from "../storage/bundles.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentInput, DeploymentRecord } from "../storage/repository.ts";
import { freshDeployment } from "./current-deployment.ts";
import { deploymentState } from "./deployment-state.ts";

/** Throws a 422 for a task whose `cron` or time zone is invalid. */
export function checkSchedules({ tasks }: WorkerManifest): void {
  for (const { id, filePath, schedule } of tasks) {
    const problem = schedule && timingProblem(schedule.cron, schedule.timezone);
    if (!problem) continue;
    const message = `Task "${id}" in ${filePath}: ${problem.message} Nothing was deployed.`;
    throw new Failure(422, problem.error, message);
  }
}

/** Throws a 422 for a task that holds a concurrency limit which is not declared. */
export function checkDeclaredLimits({ tasks, limits = [] }: WorkerManifest): void {
  const declared = new Set(limits.map(({ name }) => name));
  for (const task of tasks) {
    const missing = task.limits?.find((name) => !declared.has(name));
    if (missing === undefined) continue;
    throw new Failure(
      422,
      "concurrency_limit_not_declared",
      `Task "${task.id}" in ${task.filePath} holds the concurrency limit "${missing}", which is not declared. Nothing was deployed.`,
    );
  }
}

/**
 * Returns the size of the bundle. Throws a 422 if it can't be deployed to this environment, because the
 * bundle is missing or its tasks' declarations are invalid.
 */
export async function requireDeployable(
  env: Bindings,
  environment: EnvironmentRef,
  { contentHash, manifest }: { contentHash: string; manifest: WorkerManifest },
): Promise<number> {
  if (environment.type === "DEVELOPMENT") {
    throw new Failure(
      422,
      "development_environment",
      'Runs of the "dev" environment execute on your machine: run `npx acme dev`, or deploy to staging, preview or prod.',
    );
  }
  checkSchedules(manifest);
  checkDeclaredLimits(manifest);
  const size = await openBlobs(env).size(bundleKey(environment.organization.id, contentHash));
  if (size !== null) return size;
  throw bundleNotFound(contentHash);
}

const bundleNotFound = (contentHash: string): Failure =>
  new Failure(
    422,
    "bundle_not_found",
    `Bundle ${contentHash} was not uploaded. PUT it first, then create the deployment.`,
  );

/**
 * Adds a deployment, and has old ones collected. Throws a 422 when its bundle, which an old version had too, was deleted with
 * that one in this moment.
 */
export async function createDeployment(
  env: Bindings,
  environment: EnvironmentRef,
  input: DeploymentInput,
): Promise<DeploymentRecord> {
  const repository = openRepository(env);
  const created = await repository.createDeployment(input);
  if ((await openBlobs(env).size(bundleKey(environment.organization.id, input.contentHash))) === null) {
    await repository.markCollected(created.id, Date.now());
    throw bundleNotFound(input.contentHash);
  }
  await collectSoon(env, environment);
  return created;
}

/** Where it can't be reached, the next deployment makes up for it. */
async function collectSoon(env: Bindings, environment: EnvironmentRef): Promise<void> {
  // The bundles of development versions are on the developer's machine.
  if (environment.type === "DEVELOPMENT") return;
  const artifacts: ArtifactsRpc = objectOf(env, "ARTIFACTS", env.ARTIFACTS, environment.key);
  await artifacts.collectSoon(environment).catch((error) =>
    log.error("Old versions could not be collected; the next deployment tries again", {
      environment: environment.key,
      error,
    }),
  );
}

/** Throws a 422 where the bundle of an old version was deleted, or is about to be. */
async function requireBundle(
  env: Bindings,
  environment: EnvironmentRef,
  { contentHash, version, collectedAt }: DeploymentRecord,
): Promise<void> {
  // The bundle of a development version is on the developer's machine.
  if (environment.type === "DEVELOPMENT") return;
  const blobs = openBlobs(env);
  const keys = [bundleKey(environment.organization.id, contentHash), formerBundleKey(contentHash)];
  if (collectedAt === null) for (const key of keys) if ((await blobs.size(key)) !== null) return;
  throw bundleCollected(version);
}

/** The response to a request for a version whose bundle was deleted. */
export const bundleCollected = (version: string): Failure =>
  new Failure(
    422,
    "bundle_collected",
    `The bundle of version ${version} is not kept any more, because no run needs it: deploy that code again. Nothing was changed.`,
  );

/** Promotes a deployment: new runs start on it from now on. Throws a 409 if its build has not succeeded. */
export async function promoteTo(
  env: Bindings,
  environment: EnvironmentRef,
  target: DeploymentRecord,
): Promise<DeploymentRecord> {
  const state = deploymentState(target);
  if (state !== "DEPLOYED") {
    throw new Failure(
      409,
      "deployment_not_ready",
      `Version ${target.version} is ${state}: only a version that is DEPLOYED can be the current one. Nothing was changed.`,
    );
  }
  const { id, version, contentHash, manifest } = target;
  await requireBundle(env, environment, target);
  const current = { deployment: { id, version, contentHash }, manifest };
  await environmentObjectOf(env, environment.key).promoteDeployment(environment, current);
  const promotedAt = Date.now();
  await openRepository(env).markPromoted(id, promotedAt);
  await freshDeployment(env, environment.key);
  await collectSoon(env, environment);
  return { ...target, promotedAt };
}
