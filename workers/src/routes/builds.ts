import { log } from "@acme/durable-objects/lib/log";
import { LIMITS } from "@acme/sdk/contract";
import {
  BuildLogBody,
  type BuildLogResponse,
  FailDeploymentBody,
  FinalizeDeploymentBody,
  InitializeDeploymentBody,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { alertsOf } from "../alerts/projection.ts";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { deedIn } from "../control/audit.ts";
import { readBody } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { runFeed } from "../objects.ts";
import { freshDeployment } from "../runs/current-deployment.ts";
import { BUILD_DEADLINE_MS, deploymentState } from "../runs/deployment-state.ts";
import { createDeployment, promoteTo, requireDeployable } from "../runs/deployments.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { deploymentView } from "../views/deployment-view.ts";

/** The number of latest lines of a build's log that are shown. */
const SHOWN_LINES = 10_000;

/**
 * Routes for deployments with their own image, from the start of the build to its end. `acme deploy` builds
 * the image on the developer's machine or in CI, and calls these; container hosts pull the image by its
 * digest.
 */
export const buildRoutes = new Hono<App>()
  .post("/api/v1/deployments", access("initializeDeployment"), async (c) => {
    const { environment } = c.var;
    const { contentHash, imageRepository, manifest } = await readBody(
      c,
      InitializeDeploymentBody,
      LIMITS.manifestBytes,
    );
    const { ref } = environment.project;
    if (imageRepository !== undefined && imageRepository.split("/").at(-1) !== ref) {
      throw new Failure(
        422,
        "image_of_another_project",
        `The image has to be pushed to a repository whose last part is "${ref}", like registry.example.com/acme/${ref}, because hosts pull with credentials for all projects.`,
      );
    }
    const bundleBytes = await requireDeployable(c.env, environment, { contentHash, manifest });
    const deed = deedIn(environment, {
      action: "deployment.begun",
      target: { type: "environment", id: environment.id },
      details: { contentHash },
    });
    const created = await announced(
      c,
      deed,
      () =>
        createDeployment(c.env, environment, {
          environmentKey: environment.key,
          contentHash,
          bundleBytes,
          manifest,
          image: { repository: imageRepository ?? null },
        }),
      ({ version }) => ({ version }),
    );
    try {
      const dueAt = created.createdAt + BUILD_DEADLINE_MS + 1;
      await alertsOf(c.env, environment.key).buildBegan(environment.key, { id: created.id, dueAt });
    } catch (error) {
      // The deployment exists and its build continues; only an alert about a timeout would be missing.
      log.error("Alerts could not be set for a build", {
        environment: environment.key,
        deployment: created.id,
        error,
      });
    }
    return c.json(deploymentView(created, null), 201);
  })
  .post("/api/v3/deployments/:id/finalize", access("finalizeDeployment"), async (c) => {
    const { environment } = c.var;
    const { contentHash, imageDigest, skipPromotion } = await readBody(c, FinalizeDeploymentBody);
    const found = await buildOf(c);
    if (found.contentHash !== contentHash) {
      throw new Failure(
        409,
        "content_hash_mismatch",
        `Deployment ${found.id} belongs to the bundle ${found.contentHash}, not to ${contentHash}. Nothing was changed.`,
      );
    }
    const state = deploymentState(found);
    const isRepeated = state === "DEPLOYED" && found.imageDigest === imageDigest;
    if (state !== "BUILDING" && !isRepeated) throw ended(found);
    // The call was repeated. Another version may have been promoted meanwhile, and stays the current one.
    if (isRepeated && (skipPromotion || found.promotedAt !== null))
      return c.json(deploymentView(found, await currentId(c)));
    const deed = deedIn(environment, {
      action: "deployment.created",
      target: { type: "deployment", id: found.version },
      details: { contentHash, imageDigest, promote: !skipPromotion },
    });
    const finished = await announced(c, deed, async () => {
      const built = await openRepository(c.env).finishBuild(found.id, { imageDigest });
      // Another call ended it meanwhile, with another result.
      if (built?.imageDigest !== imageDigest) throw ended(built ?? found);
      return skipPromotion ? built : promoteTo(c.env, environment, built);
    });
    return c.json(deploymentView(finished, await currentId(c)));
  })
  .post("/api/v1/deployments/:id/fail", access("failDeployment"), async (c) => {
    const { environment } = c.var;
    const { error } = await readBody(c, FailDeploymentBody);
    const found = await buildOf(c);
    if (found.status === "DEPLOYED") throw ended(found);
    const deed = deedIn(environment, {
      action: "deployment.failed",
      target: { type: "deployment", id: found.version },
    });
    const failed = await announced(c, deed, async () => {
      const built = await openRepository(c.env).finishBuild(found.id, { failure: error.message });
      if (built?.status !== "FAILED") throw ended(built ?? found);
      return built;
    });
    // A client that got no answer repeats the call, but the alert is given only once.
    await alertsOf(c.env, environment.key).deploymentFailed(environment.key, {
      id: failed.id,
      version: failed.version,
      error: error.message,
      at: Date.now(),
    });
    return c.json(deploymentView(failed, null));
  })
  .post("/api/v1/deployments/:id/build-log", access("appendBuildLog"), async (c) => {
    const { batch, lines } = await readBody(c, BuildLogBody, LIMITS.manifestBytes);
    const found = await buildOf(c);
    const entries = lines.map(({ text, time }) => ({ time, level: "info" as const, message: text }));
    await runFeed(c.env, feedOf(found)).appendLogs(1, entries, batch);
    return c.body(null, 204);
  })
  .get("/api/v1/deployments/:id/build-log", access("listBuildLog"), async (c) => {
    const found = await buildOf(c);
    const feed = runFeed(c.env, feedOf(found));
    const { lines } = await feed.listLogs({ after: 0, limit: SHOWN_LINES, last: true });
    const data = lines.map(({ time, message }) => ({ time, text: message }));
    return c.json({ data } satisfies BuildLogResponse);
  });

/** Returns the feed object that keeps a build's log, as others keep the logs of runs. */
const feedOf = ({ id }: DeploymentRecord): string => `build.${id}`;

async function currentId(c: Context<App>): Promise<string | null> {
  return (await freshDeployment(c.env, c.var.environment.key))?.deployment.id ?? null;
}

async function buildOf(c: Context<App>): Promise<DeploymentRecord> {
  const id = c.req.param("id") ?? "";
  const found = await openRepository(c.env).findDeployment(id);
  if (found?.environmentKey === c.var.environment.key && found.hasImage) return found;
  throw new Failure(
    404,
    "deployment_not_found",
    `There is no deployment ${id} with an image in environment "${c.var.environment.slug}".`,
  );
}

const ended = (found: DeploymentRecord): Failure =>
  new Failure(
    409,
    "build_ended",
    `The build of version ${found.version} has ended already: it is ${deploymentState(found)}. Nothing was changed.`,
  );
