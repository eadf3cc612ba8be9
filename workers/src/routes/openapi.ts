import { Hono } from "hono";
import type { App } from "../auth/auth.ts";
import { openApiDocument } from "../openapi/document.ts";

const VERSION = "0.1.0";

let text: string | undefined;

/** Made when it is first asked for: a Worker starts without it. */
export const openApiRoutes = new Hono<App>().get("/openapi.json", (c) => {
  text ??= JSON.stringify(openApiDocument(VERSION));
  return c.body(text, 200, { "content-type": "application/json" });
});
