import { Hono } from "hono";
import type { App } from "../auth.ts";
import { dispatcherObject } from "../objects.ts";
import { openRepository } from "../storage/open.ts";

/** Whether the parts a request needs answer: an object and the database. */
export const healthRoutes = new Hono<App>().get("/healthz", async (c) => {
  const [objects, database] = await Promise.all([
    check(async () => void (await dispatcherObject(c.env).hosts())),
    check(() => openRepository(c.env).ping()),
  ]);
  const ok = objects === "ok" && database === "ok";
  return c.json({ ok, objects, database }, ok ? 200 : 503);
});

async function check(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
