import type { RegisteredHostRecord } from "@acme/durable-objects/rpc";
import type { HostBody, ListHostsResponse } from "@acme/sdk/contract";
import {
  BootstrapBody,
  EnvironmentSettingsBody,
  OrganizationWeightBody,
  type OrganizationWeightResponse,
} from "@acme/sdk/contract/api";
import { Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import { sha256 } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { readBody } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { dispatcherObject, environmentObjectOf } from "../objects.ts";
import { openRepository } from "../storage/open.ts";
import { environmentView } from "../views/environment-view.ts";

const MAX_HOSTS = 1_000;

/** What sets up a new server: its first organization, project, environments and keys; shares and limits; and its hosts. */
export const adminRoutes = new Hono<App>()
  .get("/admin/v1/hosts", access("listHosts"), async (c) => {
    const hosts = await dispatcherObject(c.env).listHosts(MAX_HOSTS);
    return c.json({ data: hosts.map(hostView) } satisfies z.infer<typeof ListHostsResponse>);
  })
  .delete("/admin/v1/hosts/:hostId", access("revokeHost"), async (c) => {
    const hostId = c.req.param("hostId");
    const host = await dispatcherObject(c.env).revokeHost(hostId);
    if (!host) throw new Failure(404, "host_not_found", `There is no host ${hostId}. Nothing was changed.`);
    return c.json(hostView(host));
  })
  .post("/admin/v1/bootstrap", access("bootstrap"), async (c) => {
    const { organization, project, secretKeys, accessToken } = await readBody(c, BootstrapBody);
    const keyHashes = Object.fromEntries(
      Object.entries(secretKeys).map(([slug, key]) => [slug, sha256(key)]),
    );
    const accessTokenHash = sha256(accessToken);
    const created = await openRepository(c.env).bootstrap({
      organization,
      project,
      keyHashes,
      accessTokenHash,
    });
    if ("conflict" in created) throw new Failure(409, "conflict", created.conflict);
    return c.json({
      organizationId: created.organizationId,
      projectRef: project.ref,
      environments: created.environments.map(({ slug, key, id, type }) => ({ slug, key, id, type })),
    });
  })
  .put("/admin/v1/projects/:ref/:env/settings", access("updateEnvironmentSettings"), async (c) => {
    const changes = await readBody(c, EnvironmentSettingsBody);
    const { ref, env: slug } = c.req.param();
    const environment = await openRepository(c.env).findEnvironmentOfProject(ref, slug);
    if (!environment) {
      throw new Failure(
        404,
        "environment_not_found",
        `There is no environment "${slug}" of a project "${ref}". Nothing was changed.`,
      );
    }
    const settings = await environmentObjectOf(c.env, environment.key).updateEnvironment(
      environment,
      changes,
    );
    return c.json(environmentView(environment, settings));
  })
  .put("/admin/v1/organizations/:slug/weight", access("setOrganizationWeight"), async (c) => {
    const { weight } = await readBody(c, OrganizationWeightBody);
    const slug = c.req.param("slug");
    const environments = await openRepository(c.env).environmentsOfOrganization(slug);
    if (environments.length === 0) {
      throw new Failure(
        404,
        "organization_not_found",
        `There is no organization "${slug}" with environments. Nothing was changed.`,
      );
    }
    await Promise.all(
      environments.map((environment) =>
        environmentObjectOf(c.env, environment.key).updateEnvironment(environment, { weight }),
      ),
    );
    const answer: z.infer<typeof OrganizationWeightResponse> = {
      weight,
      environments: environments.map(({ project, slug: name }) => `${project.ref}/${name}`).sort(),
    };
    return c.json(answer);
  });

const iso = (time: number | null): string | undefined =>
  time === null ? undefined : new Date(time).toISOString();

const hostView = (host: RegisteredHostRecord): HostBody => ({
  hostId: host.hostId,
  name: host.name ?? undefined,
  state: host.revokedAt !== null ? "revoked" : host.isConnected ? "connected" : "disconnected",
  registeredAt: new Date(host.registeredAt).toISOString(),
  revokedAt: iso(host.revokedAt),
  lastSeenAt: iso(host.lastSeenAt),
  polls: host.polls,
});
