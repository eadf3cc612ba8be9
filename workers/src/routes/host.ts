import { DequeueRequest, LEASE_HEADER, RegisterHostBody, ReportRequest } from "@acme/sdk/contract";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App, Bindings } from "../bindings.ts";
import { dequeueResponse } from "../hosts/dequeue-response.ts";
import { requireOwnHost } from "../hosts/host-credentials.ts";
import { hostDeployment } from "../hosts/host-deployment.ts";
import { applyReport } from "../hosts/report.ts";
import { provesEnvironment } from "../hosts/run-tokens.ts";
import { readBody } from "../http/body.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { readInflatedBody } from "../http/inflate.ts";
import { dispatcherObject } from "../objects.ts";
import { openBlobs } from "../storage/blobs.ts";
import { bundleKey, formerBundleKey } from "../storage/bundles.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord } from "../storage/repository.ts";

const REPORT_BYTES = 32 * 1024 * 1024;
/** Polls are a host's signs of life. Reports count as further ones, at most this often. */
const SEEN_EVERY_MS = 5_000;

const seen = new Cache<true>(SEEN_EVERY_MS);

/** Routes for container hosts. */
export const hostRoutes = new Hono<App>()
  .post("/engine/v1/hosts", access("registerHost"), async (c) => {
    const host = await readBody(c, RegisterHostBody);
    const verdict = await dispatcherObject(c.env).registerHost(host);
    if (verdict === "revoked") throw new Failure(403, "host_revoked", `Host ${host.hostId} was revoked.`);
    if (verdict === "exists") {
      throw new Failure(
        409,
        "host_exists",
        `Host ${host.hostId} is registered with another credential: register under another id, or restore that host's data folder. Nothing was changed.`,
      );
    }
    return c.json({ hostId: host.hostId });
  })
  .post("/engine/v1/worker-actions/dequeue", access("dequeueRuns"), async (c) => {
    const request = await readBody(c, DequeueRequest);
    requireOwnHost(c, request.hostId);
    const body = dequeueResponse(c.env, request.hostId, await dispatcherObject(c.env).poll(request));
    return c.body(body, 200, { "content-type": "application/json" });
  })
  .post("/engine/v1/worker-actions/report", access("reportRuns"), async (c) => {
    const report = await readInflatedBody(c, ReportRequest, REPORT_BYTES);
    const { hostId, sessionId, goodbye = false } = report;
    requireOwnHost(c, hostId);
    const [answer] = await Promise.all([
      applyReport(c.env, report),
      sayAlive(c.env, hostId, sessionId, goodbye),
    ]);
    return c.json(answer);
  })
  .get("/engine/v1/worker-actions/deployments/:id", access("getHostDeployment"), async (c) => {
    const found = await leasedDeployment(c);
    return c.json(await hostDeployment(c.env, found));
  })
  .get("/engine/v1/worker-actions/deployments/:id/bundle", access("downloadBundle"), async (c) => {
    const { contentHash, environmentKey, id } = await leasedDeployment(c);
    const environment = await openRepository(c.env).findEnvironmentByKey(environmentKey);
    const blobs = openBlobs(c.env);
    const bytes =
      (environment && (await blobs.get(bundleKey(environment.organization.id, contentHash)))) ??
      (await blobs.get(formerBundleKey(contentHash)));
    if (!bytes) throw new Failure(404, "bundle_not_found", `The bundle of deployment ${id} was not found.`);
    return c.body(bytes, 200, { "content-type": "text/javascript" });
  });

/** Returns the deployment to a host that has a lease of its environment. Throws a 404 for others. */
async function leasedDeployment(c: Context<App>): Promise<DeploymentRecord> {
  const id = c.req.param("id") ?? "";
  const found = await openRepository(c.env).findDeployment(id);
  const { hostId } = c.var.host;
  const lease = c.req.header(LEASE_HEADER);
  if (found && provesEnvironment(c.env, lease, { hostId, environmentKey: found.environmentKey }))
    return found;
  throw new Failure(
    404,
    "deployment_not_found",
    `Deployment ${id.slice(0, 64)} was not found among what this host runs: show the apiToken of a run of its environment in the header ${LEASE_HEADER}.`,
  );
}

async function sayAlive(env: Bindings, hostId: string, sessionId: string, goodbye: boolean): Promise<void> {
  if (!goodbye && seen.get(sessionId)) return;
  seen.set(sessionId, true);
  await dispatcherObject(env).hostSeen(hostId, sessionId, goodbye);
}
