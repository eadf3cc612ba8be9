import type { Context } from "hono";
import type { App } from "../bindings.ts";

/** Where this server is reached from outside, without a slash at its end. */
export const baseUrl = (c: Context<App>): string =>
  (c.env.PUBLIC_URL ?? new URL(c.req.url).origin).replace(/\/+$/, "");
