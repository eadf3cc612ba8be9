import { ENVIRONMENT_SLUGS } from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { environmentObjectOf } from "../objects.ts";
import { environmentView } from "../views/environment-view.ts";

/** Other things of a project have paths like these. */
const PATH = `/api/v1/projects/:ref/:env{${ENVIRONMENT_SLUGS.join("|")}}` as const;

/** An environment as its project's developers see and pause it. What it may use is set by the administrator. */
export const environmentRoutes = new Hono<App>()
  .get(PATH, access("getEnvironment"), async (c) => {
    const { environment } = c.var;
    const { settings } = await environmentObjectOf(c.env, environment.key).environmentStats();
    return c.json(environmentView(environment, settings));
  })
  .post(`${PATH}/pause`, access("pauseEnvironment"), (c) => setPaused(c, true))
  .post(`${PATH}/resume`, access("resumeEnvironment"), (c) => setPaused(c, false));

async function setPaused(c: Context<App>, paused: boolean): Promise<Response> {
  const { environment } = c.var;
  const settings = await environmentObjectOf(c.env, environment.key).updateEnvironment(environment, {
    paused,
  });
  return c.json(environmentView(environment, settings));
}
