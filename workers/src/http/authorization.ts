import type { Context } from "hono";
import type { App } from "../bindings.ts";

/**
 * The request's Authorization header. Several steps of every request need it, and each look at a request's headers is a
 * call into the runtime, so it is read once.
 */
export function authorizationOf(c: Context<App>): string | undefined {
  let header = c.get("authorization");
  if (header === undefined) {
    header = c.req.header("authorization") ?? null;
    c.set("authorization", header);
  }
  return header ?? undefined;
}

/** What follows `Bearer ` in the Authorization header; undefined without such a header. */
export function bearerOf(c: Context<App>): string | undefined {
  const header = authorizationOf(c);
  return header?.startsWith("Bearer ") && header.length > 7 ? header.slice(7) : undefined;
}
