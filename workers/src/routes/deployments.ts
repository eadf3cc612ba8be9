import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { LIMITS } from "@acme/sdk/contract";
import {
  ContentHash,
  CreateDeploymentBody,
  PageDeploymentsQuery,
  type RetrieveDeploymentResponse,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { deedIn } from "../control/audit.ts";
import { readBody, readBytes } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { freshDeployment } from "../runs/current-deployment.ts";
import { createDeployment, promoteTo, requireDeployable } from "../runs/deployments.ts";
import { openBlobs } from "../storage/blobs.ts";
import { bundleKey } from "../storage/bundles.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { deploymentItemView, deploymentView } from "../views/deployment-view.ts";

export const deploymentRoutes = new Hono<App>()
  .get("/api/v1/deployments", access("pageDeployments"), async (c) => {
    const { environment } = c.var;
    const query = PageDeploymentsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { status, "page[size]": size = 20, "page[after]": after } = query.data;
    const found = await openRepository(c.env).listDeployments(environment.key, size + 1, { after, status });
    const page = found.slice(0, size);
    const next = found.length > size ? page.at(-1)?.id : undefined;
    return c.json({ data: page.map(deploymentItemView), pagination: { next } });
  })
  .get("/api/v1/deployments/current", access("retrieveCurrentDeployment"), async (c) => {
    const { environment } = c.var;
    const current = await freshDeployment(c.env, environment.key);
    const found = current && (await openRepository(c.env).findDeployment(current.deployment.id));
    if (!found) {
      throw new Failure(
        404,
        "nothing_deployed",
        `Nothing was deployed to environment "${environment.slug}" yet. Deploy with: npx acme deploy --env ${environment.slug}`,
      );
    }
    return c.json(deploymentItemView(found));
  })
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
    await openBlobs(c.env).put(bundleKey(c.var.environment.organization.id, digest), bytes);
    return c.json({ contentHash: digest, size: bytes.byteLength });
  })
  .post("/api/v1/projects/:ref/:env/deployments", access("createDeployment"), async (c) => {
    const { environment } = c.var;
    const { contentHash, manifest, promote } = await readBody(c, CreateDeploymentBody, LIMITS.manifestBytes);
    const bundleBytes = await requireDeployable(c.env, environment, { contentHash, manifest });
    const deed = deedIn(environment, {
      action: "deployment.created",
      target: { type: "environment", id: environment.id },
      details: { contentHash, promote },
    });
    const created = await announced(
      c,
      deed,
      async () => {
        const made = await createDeployment(c.env, environment, {
          environmentKey: environment.key,
          contentHash,
          bundleBytes,
          manifest,
        });
        return promote ? promoteTo(c.env, environment, made) : made;
      },
      ({ version }) => ({ version }),
    );
    return c.json(deploymentView(created, promote ? created.id : null), 201);
  })
  .get("/api/v1/projects/:ref/:env/deployments", access("listDeployments"), async (c) => {
    const { environment } = c.var;
    const [found, current] = await Promise.all([
      openRepository(c.env).listDeployments(environment.key, 50),
      freshDeployment(c.env, environment.key),
    ]);
    const currentId = current?.deployment.id ?? null;
    return c.json({ data: found.map((deployment) => deploymentView(deployment, currentId)) });
  })
  .get("/api/v1/projects/:ref/:env/deployments/:version", access("retrieveDeployment"), async (c) => {
    const { environment } = c.var;
    const [found, current] = await Promise.all([
      deploymentOf(c, environment, c.req.param("version")),
      freshDeployment(c.env, environment.key),
    ]);
    const body: RetrieveDeploymentResponse = {
      ...deploymentView(found, current?.deployment.id ?? null),
      manifest: found.manifest,
    };
    return c.json(body);
  })
  .post("/api/v1/projects/:ref/:env/deployments/:version/promote", access("promoteDeployment"), async (c) => {
    const { environment } = c.var;
    const found = await deploymentOf(c, environment, c.req.param("version"));
    const deed = deedIn(environment, {
      action: "deployment.promoted",
      target: { type: "deployment", id: found.version },
    });
    const promoted = await announced(c, deed, () => promoteTo(c.env, environment, found));
    return c.json(deploymentView(promoted, found.id));
  });

async function deploymentOf(
  c: Context<App>,
  environment: EnvironmentRef,
  version: string,
): Promise<DeploymentRecord> {
  const found = await openRepository(c.env).findDeploymentByVersion(environment.key, version);
  if (found) return found;
  throw new Failure(
    404,
    "version_not_found",
    `Version ${version} was never deployed to environment "${environment.slug}".`,
  );
}
