import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { timingProblem } from "@acme/durable-objects/schedules";
import type { WorkerManifest } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf } from "../objects.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { freshDeployment } from "./current-deployment.ts";

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

/** New runs go to this deployment from here on. */
export async function promoteTo(
  env: Bindings,
  environment: EnvironmentRef,
  target: DeploymentRecord,
): Promise<DeploymentRecord> {
  const { id, version, contentHash, manifest } = target;
  const current = { deployment: { id, version, contentHash }, manifest };
  await environmentObjectOf(env, environment.key).promoteDeployment(environment, current);
  await openRepository(env).markPromoted(id);
  await freshDeployment(env, environment.key);
  return { ...target, promotedAt: Date.now() };
}
