import { Hono } from "hono";
import { configurationProblem } from "../auth/configuration.ts";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { dispatcherObject } from "../objects.ts";
import { openRepository } from "../storage/open.ts";

/** Whether the parts that a request needs answer (an object and the database) and the Worker's secrets are configured. */
export const healthRoutes = new Hono<App>().get("/healthz", access("checkHealth"), async (c) => {
  const [objects, database] = await Promise.all([
    check(async () => void (await dispatcherObject(c.env).hosts())),
    check(() => openRepository(c.env).ping()),
  ]);
  const configuration = configurationProblem(c.env) ?? "ok";
  const ok = objects === "ok" && database === "ok" && configuration === "ok";
  return c.json({ ok, objects, database, configuration }, ok ? 200 : 503);
});

async function check(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (error) {
    return reasonOf(error);
  }
}

/** The innermost cause: around it, the database's errors repeat the statement. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const unmigrated = /no such table|relation .* does not exist/.test(error.message);
  return unmigrated ? `${error.message} (were the migrations applied? see README.md)` : error.message;
}
