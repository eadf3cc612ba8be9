import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { timingProblem } from "@acme/durable-objects/schedules";
import { LIMITS, type WorkerManifest } from "@acme/sdk/contract";
import { ContentHash, CreateDeploymentBody, type DeploymentBody } from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { readBody, readBytes } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf } from "../objects.ts";
import { freshDeployment } from "../runs/current-deployment.ts";
import { openBlobs } from "../storage/blobs.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { isoTime } from "../views/time.ts";

export const deploymentRoutes = new Hono<App>()
  .put("/api/v1/projects/:ref/:env/bundles/:contentHash", access("uploadBundle"), async (c) => {
    const claimed = ContentHash.safeParse(c.req.param("contentHash"));
    if (!claimed.success)
      throw new Failure(400, "invalid_content_hash", claimed.error.issues[0]?.message ?? "");
    const bytes = await readBytes(c.req.raw, LIMITS.bundleBytes, "The bundle");
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
    if (digest !== claimed.data) {
      throw new Failure(
        422,
        "content_hash_mismatch",
        `The bundle's SHA-256 is ${digest}, not ${claimed.data}: it was damaged on its way, or the hash is of another file.`,
      );
    }
    await openBlobs(c.env).put(`bundles/${digest}`, bytes);
    return c.json({ contentHash: digest, size: bytes.byteLength });
  })
  .post("/api/v1/projects/:ref/:env/deployments", access("createDeployment"), async (c) => {
    const { environment } = c.var;
    if (environment.type === "DEVELOPMENT") {
      throw new Failure(
        422,
        "development_environment",
        'The "dev" environment runs on your machine. Deploy to staging, preview or prod.',
      );
    }
    const { contentHash, manifest, promote } = await readBody(c, CreateDeploymentBody, LIMITS.manifestBytes);
    checkSchedules(manifest);
    const size = await openBlobs(c.env).size(`bundles/${contentHash}`);
    if (size === null) {
      throw new Failure(
        422,
        "bundle_not_found",
        `Bundle ${contentHash} was not uploaded. PUT it first, then create the deployment.`,
      );
    }
    const repository = openRepository(c.env);
    const created = await repository.createDeployment({
      environmentKey: environment.key,
      contentHash,
      bundleBytes: size,
      manifest,
    });
    return c.json(view(promote ? await promoteTo(c, environment, created) : created), 201);
  })
  .get("/api/v1/projects/:ref/:env/deployments", access("listDeployments"), async (c) => {
    const { environment } = c.var;
    const found = await openRepository(c.env).listDeployments(environment.key, 50);
    return c.json({ data: found.map(view) });
  })
  .post("/api/v1/projects/:ref/:env/deployments/:version/promote", access("promoteDeployment"), async (c) => {
    const { environment } = c.var;
    const version = c.req.param("version");
    const found = await openRepository(c.env).findDeploymentByVersion(environment.key, version);
    if (!found) {
      throw new Failure(
        404,
        "version_not_found",
        `Version ${version} was never deployed to environment "${environment.slug}".`,
      );
    }
    return c.json(view(await promoteTo(c, environment, found)));
  });

/** Throws a Failure for a task whose `cron` is none. */
function checkSchedules({ tasks }: WorkerManifest): void {
  for (const { id, filePath, schedule } of tasks) {
    const problem = schedule && timingProblem(schedule.cron, schedule.timezone);
    if (!problem) continue;
    const message = `Task "${id}" in ${filePath}: ${problem.message} Nothing was deployed.`;
    throw new Failure(422, problem.error, message);
  }
}

/** New runs go to this deployment from here on. */
async function promoteTo(
  c: Context<App>,
  environment: EnvironmentRef,
  target: DeploymentRecord,
): Promise<DeploymentRecord> {
  const { id, version, contentHash, manifest } = target;
  const current = { deployment: { id, version, contentHash }, manifest };
  await environmentObjectOf(c.env, environment.key).promoteDeployment(environment, current);
  await openRepository(c.env).markPromoted(id);
  await freshDeployment(c.env, environment.key);
  return { ...target, promotedAt: Date.now() };
}

const view = (deployment: DeploymentRecord): DeploymentBody => ({
  id: deployment.id,
  version: deployment.version,
  contentHash: deployment.contentHash,
  tasks: deployment.manifest.tasks.map((task) => task.id),
  createdAt: isoTime(deployment.createdAt),
  promoted: deployment.promotedAt !== null,
});
