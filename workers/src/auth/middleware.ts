import type { Context, MiddlewareHandler } from "hono";
import type { App } from "../bindings.ts";
import { ACCESS, type Access, type OperationId } from "./access.ts";
import {
  type Authenticated,
  authenticateEnvironment,
  authenticateProject,
  authenticateSecret,
} from "./credentials.ts";

/**
 * Lets a request through to the route of an operation only with what `ACCESS` says that operation takes, and sets
 * `c.var.environment` and `c.var.credential` where that belongs to an environment.
 */
export function access(id: OperationId): MiddlewareHandler<App> {
  const rule: Access = ACCESS[id];
  return async (c, next) => {
    const authenticated = await authenticate(c, rule);
    if (authenticated) {
      c.set("environment", authenticated.environment);
      c.set("credential", authenticated.credential);
    }
    await next();
  };
}

/** Null for a route that is not of one environment. Throws the Failure that refuses the request. */
async function authenticate(c: Context<App>, rule: Access): Promise<Authenticated | null> {
  switch (rule.credential) {
    case "secretKey":
      return authenticateEnvironment(c, scopesFor(rule.scopes, c.req.param()));
    case "accessToken":
      return authenticateProject(c, c.req.param("ref") ?? "", c.req.param("env") ?? "");
    case "hostToken":
      authenticateSecret(c, c.env.HOST_TOKEN, "host token");
      return null;
    case "adminToken":
      authenticateSecret(c, c.env.ADMIN_TOKEN, "admin token");
      return null;
    case "none":
      return null;
  }
}

/** The scopes with the path's parameters in their places. */
const scopesFor = (scopes: readonly string[] = [], params: Record<string, string>): string[] =>
  scopes.map((scope) => scope.replace(/\{(\w+)\}/, (_, name: string) => params[name] ?? ""));
