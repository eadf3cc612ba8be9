import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { openApiDocument } from "../openapi/document.ts";

const VERSION = "0.1.0";

let text: string | undefined;

/** Generated at the first request, so that it does not delay the Worker's start. */
export const openApiRoutes = new Hono<App>().get("/openapi.json", access("getOpenApi"), (c) => {
  text ??= JSON.stringify(openApiDocument(VERSION));
  return c.body(text, 200, { "content-type": "application/json" });
});
