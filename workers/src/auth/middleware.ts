import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "../bindings.ts";
import { authenticateForProject, authenticateOrganization } from "../control/authenticate-organization.ts";
import { hostOf } from "../hosts/host-credentials.ts";
import { bearerOf } from "../http/authorization.ts";
import { Failure } from "../http/failure.ts";
import { authenticateMember, authenticateProjectMember } from "../people/authenticate-member.ts";
import { clientAddress } from "../people/client-address.ts";
import { authenticateSession, hasSessionCookie } from "../people/session.ts";
import { ACCESS, type Access, type OperationId } from "./access.ts";
import {
  authenticateNamedToken,
  authenticateProjectToken,
  authenticateToken,
  hasAccessToken,
} from "./access-token.ts";
import { hasBranches, inBranch } from "./branch.ts";
import { type Authenticated, authenticateEnvironment, authenticateSecret, bearer } from "./credentials.ts";
import { authenticateWholeProject } from "./project.ts";
import { sha256 } from "./tokens.ts";
import { countWrongKey, refuseGuesses, refusesGuesses, trustKey } from "./wrong-keys.ts";

/**
 * Lets a request through to the route of an operation only with a credential that `ACCESS` lists for it. Sets
 * `c.var.environment` and `c.var.credential` for a credential of an environment, `c.var.projectEnvironments`
 * for one of a whole project, or `c.var.session`, `c.var.token`, `c.var.person` and `c.var.member` for routes
 * that take those.
 */
export function access(id: OperationId): MiddlewareHandler<App> {
  const rule: Access = ACCESS[id];
  return async (c, next) => {
    const authenticated = rule.credential === "none" ? null : await limitingGuesses(c, id, rule);
    if (authenticated) {
      const { environment } = authenticated;
      c.set("environment", hasBranches(environment) ? await branchNamed(c, authenticated) : environment);
      c.set("credential", authenticated.credential);
    }
    return next();
  };
}

/** A signed token belongs to the environment that it was signed for, whatever the request's header says. */
const branchNamed = (
  c: Context<App>,
  { environment, credential: { type } }: Authenticated,
): EnvironmentRef | Promise<EnvironmentRef> =>
  type === "run" || type === "public" ? environment : inBranch(c, environment);

/** Authenticates and counts wrong keys by address; too many are refused before they are looked up. */
async function limitingGuesses(
  c: Context<App>,
  id: OperationId,
  rule: Access,
): Promise<Authenticated | null> {
  if (refusesGuesses(Date.now())) refuseGuesses(clientAddress(c), keyHashOf(c), Date.now());
  try {
    const result = await authenticate(c, id, rule);
    const hash = keyHashOf(c);
    if (hash !== undefined) trustKey(hash);
    return result;
  } catch (error) {
    if (error instanceof Failure && WRONG_KEY.has(error.code)) countWrongKey(clientAddress(c), Date.now());
    throw error;
  }
}

function keyHashOf(c: Context<App>): string | undefined {
  const key = bearerOf(c);
  return key === undefined ? undefined : sha256(key);
}

/** Codes of the failures that a guessed key causes. */
const WRONG_KEY = new Set([
  "invalid_api_key",
  "invalid_access_token",
  "invalid_token",
  "host_not_registered",
]);

/**
 * Returns null for a route that does not belong to one environment. Throws the Failure that refuses the
 * request.
 */
async function authenticate(c: Context<App>, id: OperationId, rule: Access): Promise<Authenticated | null> {
  switch (rule.credential) {
    case "secretKey":
      if (hasSessionCookie(c)) return authenticateMember(c, id);
      if (hasAccessToken(c)) return authenticateNamedToken(c, id);
      return authenticateEnvironment(c, { rule, params: c.req.param() });
    case "accessToken": {
      const { ref = "", env } = c.req.param() as Record<string, string>;
      if (env === undefined) {
        c.set("projectEnvironments", await authenticateWholeProject(c, id, ref));
        return null;
      }
      if (hasSessionCookie(c)) return authenticateProjectMember(c, id, ref, env);
      return authenticateProjectToken(c, id, ref, env);
    }
    case "environment": {
      const { ref = "", env = "" } = c.req.param() as Record<string, string>;
      if (hasSessionCookie(c)) return authenticateProjectMember(c, id, ref, env);
      if (hasAccessToken(c)) return authenticateProjectToken(c, id, ref, env);
      const authenticated = await authenticateEnvironment(c, {
        rule: { credential: "secretKey" },
        params: {},
      });
      checkNamed(authenticated.environment, ref, env);
      return authenticated;
    }
    case "session": {
      const session = await authenticateSession(c);
      c.set("session", session);
      c.set("person", session.user);
      return null;
    }
    case "token":
      c.set("token", await authenticateToken(c));
      return null;
    case "member": {
      const { person, token, member } = await authenticateOrganization(c, id);
      c.set("person", person);
      c.set("member", member);
      if (token) c.set("token", token);
      return null;
    }
    case "project":
      await authenticateForProject(c, id);
      return null;
    case "host":
      c.set("host", { hostId: await hostOf(c.env, bearer(c)) });
      return null;
    case "hostToken":
      authenticateSecret(c, c.env.HOST_TOKEN, "host token");
      return null;
    case "adminToken":
      authenticateSecret(c, c.env.ADMIN_TOKEN, "admin token");
      return null;
    case "metricsToken":
      if (!c.env.METRICS_TOKEN)
        throw new Failure(
          503,
          "metrics_not_configured",
          "This server does not serve its metrics yet: set the secret METRICS_TOKEN (at least 16 random characters).",
        );
      authenticateSecret(c, c.env.METRICS_TOKEN, "metrics token");
      return null;
    case "none":
      return null;
  }
}

/** A key belongs to one environment: for it, things under another environment's path do not exist. */
function checkNamed(environment: EnvironmentRef, projectRef: string, slug: string): void {
  if (environment.project.ref === projectRef && environment.slug === slug) return;
  throw new Failure(
    404,
    "environment_not_found",
    `This key is not of an environment "${slug.slice(0, 64)}" of project "${projectRef.slice(0, 64)}". Use that environment's key or an access token. Nothing was changed.`,
  );
}
