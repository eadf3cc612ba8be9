import type { Context } from "hono";
import type { App } from "../bindings.ts";

/** The address of this server as clients reach it, without a trailing slash. */
export const baseUrl = (c: Context<App>): string =>
  (c.env.PUBLIC_URL ?? new URL(c.req.url).origin).replace(/\/+$/, "");
