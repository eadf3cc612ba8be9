import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { EnvironmentHost, ListEnvironmentHostsResponse } from "@acme/sdk/contract";
import { EnvironmentLimitsBody } from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App, Bindings } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { deedIn } from "../control/audit.ts";
import { changeLimits } from "../control/environments.ts";
import { readRequiredBody } from "../http/body.ts";
import { dispatcherOf, environmentObjectOf } from "../objects.ts";
import { environmentView } from "../views/environment-view.ts";
import { environmentHostView, tunnelHostView } from "../views/host-view.ts";

/**
 * Other resources of a project have similar paths. Slugs of members' own environments and of branches begin
 * with their type's slug.
 */
const PATH = "/api/v1/projects/:ref/:env{(?:(?:dev|preview)(?:-[0-9a-z-]+)?|staging|prod)}" as const;

/** Routes for environments: developers see and pause them, and administrators set their limits. */
export const environmentRoutes = new Hono<App>()
  .get(PATH, access("getEnvironment"), async (c) => {
    const { environment } = c.var;
    const { settings } = await environmentObjectOf(c.env, environment.key).environmentStats();
    return c.json(environmentView(environment, settings));
  })
  .get(`${PATH}/hosts`, access("listEnvironmentHosts"), async (c) => {
    const { environment } = c.var;
    return c.json({ data: await hostsOf(c.env, environment) } satisfies ListEnvironmentHostsResponse);
  })
  .post(`${PATH}/pause`, access("pauseEnvironment"), (c) => setPaused(c, true))
  .post(`${PATH}/resume`, access("resumeEnvironment"), (c) => setPaused(c, false))
  .put(`${PATH}/limits`, access("changeEnvironmentLimits"), async (c) =>
    c.json(await changeLimits(c, await readRequiredBody(c, EnvironmentLimitsBody))),
  );

/** The maximum number of hosts that are listed. */
const MAX_HOSTS = 1_000;

async function hostsOf(env: Bindings, environment: EnvironmentRef): Promise<EnvironmentHost[]> {
  const dispatcher = dispatcherOf(env, environment);
  if (environment.type === "DEVELOPMENT") return (await dispatcher.hosts()).map(tunnelHostView);
  const now = Date.now();
  const hosts = await dispatcher.listHosts(MAX_HOSTS);
  return hosts.map((host) => environmentHostView(host, now)).filter((host) => host !== null);
}

async function setPaused(c: Context<App>, paused: boolean): Promise<Response> {
  const { environment } = c.var;
  const deed = deedIn(environment, {
    action: paused ? "environment.paused" : "environment.resumed",
    target: { type: "environment", id: environment.id },
  });
  const settings = await announced(c, deed, () =>
    environmentObjectOf(c.env, environment.key).updateEnvironment(environment, { paused }),
  );
  return c.json(environmentView(environment, settings));
}
