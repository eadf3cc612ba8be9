import type { Context } from "hono";
import type { App } from "../bindings.ts";

/** Returns the address at which clients reach this server, without a trailing slash. */
export const baseUrl = (c: Context<App>): string =>
  (c.env.PUBLIC_URL ?? new URL(c.req.url).origin).replace(/\/+$/, "");
