import type { Context } from "hono";
import type { App } from "../bindings.ts";

/**
 * Returns the request's Authorization header. Several steps of every request need it, and each access to the
 * headers is a call into the runtime, so it is read once.
 */
export function authorizationOf(c: Context<App>): string | undefined {
  let header = c.get("authorization");
  if (header === undefined) {
    header = c.req.header("authorization") ?? null;
    c.set("authorization", header);
  }
  return header ?? undefined;
}

/** Returns the token after `Bearer ` in the Authorization header; undefined without such a header. */
export function bearerOf(c: Context<App>): string | undefined {
  const header = authorizationOf(c);
  return header?.startsWith("Bearer ") && header.length > 7 ? header.slice(7) : undefined;
}
