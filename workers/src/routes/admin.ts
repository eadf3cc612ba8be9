import type { RegisteredHostRecord } from "@acme/durable-objects/rpc";
import type { ListHostsResponse } from "@acme/sdk/contract";
import {
  BootstrapBody,
  DrainHostBody,
  EnvironmentSettingsBody,
  ListOrganizationsQuery,
  OperatorAuditQuery,
  OperatorCreateOrganizationBody,
  OrganizationLimitsBody,
  RebuildBody,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { deedIn } from "../control/audit.ts";
import { listAudit } from "../control/audit-list.ts";
import { readBody, readRequiredBody } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { dispatcherObject, environmentObjectOf } from "../objects.ts";
import { bootstrap } from "../operator/bootstrap.ts";
import { changeOrganizationLimits } from "../operator/organization-limits.ts";
import {
  addOrganization,
  listOrganizations,
  organizationBySlug,
  organizationDetails,
} from "../operator/organizations.ts";
import { rebuildPage } from "../operator/rebuild.ts";
import { openRepository } from "../storage/open.ts";
import { openSql } from "../storage/sql-connection.ts";
import { environmentView } from "../views/environment-view.ts";
import { hostView } from "../views/host-view.ts";

const MAX_HOSTS = 1_000;

/** Routes for a server's operator: organizations with their limits, container hosts, and the query side. */
export const adminRoutes = new Hono<App>()
  .get("/admin/v1/organizations", access("listOrganizations"), async (c) => {
    const query = ListOrganizationsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    return c.json(await listOrganizations(openSql(c.env), query.data));
  })
  .post("/admin/v1/organizations", access("addOrganization"), async (c) =>
    c.json(await addOrganization(c, await readRequiredBody(c, OperatorCreateOrganizationBody)), 201),
  )
  .get("/admin/v1/organizations/:slug", access("inspectOrganization"), async (c) =>
    c.json(await organizationDetails(c.env, openSql(c.env), c.req.param("slug"))),
  )
  .put("/admin/v1/organizations/:slug/limits", access("setOrganizationLimits"), async (c) => {
    const changes = await readRequiredBody(c, OrganizationLimitsBody);
    return c.json(await changeOrganizationLimits(c, c.req.param("slug"), changes));
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
    const deed = deedIn(environment, {
      action: "environment.settings_changed",
      target: { type: "environment", id: environment.id },
      details: changes,
    });
    const settings = await announced(c, deed, () =>
      environmentObjectOf(c.env, environment.key).updateEnvironment(environment, changes),
    );
    return c.json(environmentView(environment, settings));
  })
  .post("/admin/v1/bootstrap", access("bootstrap"), async (c) =>
    c.json(await bootstrap(c, await readRequiredBody(c, BootstrapBody))),
  )
  .get("/admin/v1/hosts", access("listHosts"), async (c) => {
    const hosts = await dispatcherObject(c.env).listHosts(MAX_HOSTS);
    return c.json({ data: hosts.map(hostView) } satisfies z.infer<typeof ListHostsResponse>);
  })
  .post("/admin/v1/hosts/:hostId/drain", access("drainHost"), async (c) => {
    const { draining } = await readBody(c, DrainHostBody);
    return changeHost(c, c.req.param("hostId"), draining ? "host.drained" : "host.resumed", (hostId) =>
      dispatcherObject(c.env).drainHost(hostId, draining),
    );
  })
  .delete("/admin/v1/hosts/:hostId", access("revokeHost"), (c) =>
    changeHost(c, c.req.param("hostId"), "host.revoked", (hostId) =>
      dispatcherObject(c.env).revokeHost(hostId),
    ),
  )
  .post("/admin/v1/rebuild", access("rebuildQuerySide"), async (c) =>
    c.json(await rebuildPage(c, await readRequiredBody(c, RebuildBody))),
  )
  .get("/admin/v1/audit", access("listOperatorAudit"), async (c) => {
    const query = OperatorAuditQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { organization, ...filter } = query.data;
    const connection = openSql(c.env);
    const id = organization === undefined ? null : (await organizationBySlug(connection, organization)).id;
    return c.json(await listAudit(connection, id, filter));
  });

/** Changes a host, with its entry in the server's audit log. Throws a 404. */
async function changeHost(
  c: Context<App>,
  hostId: string,
  action: string,
  change: (hostId: string) => Promise<RegisteredHostRecord | null>,
): Promise<Response> {
  const deed = { organizationId: null, action, target: { type: "host", id: hostId.slice(0, 128) } };
  const host = await announced(c, deed, async () => {
    const changed = await change(hostId);
    if (changed) return changed;
    throw new Failure(
      404,
      "host_not_found",
      `There is no host ${hostId.slice(0, 128)}. Nothing was changed.`,
    );
  });
  return c.json(hostView(host));
}
