import { LEAST_ROLE, mayAs } from "@acme/sdk/contract/api";
import type { Access, OperationId } from "../../src/auth/access.ts";
import { isOfEnvironment } from "../../src/people/require-role.ts";
import { scopesAllow } from "../../src/people/token-scopes.ts";
import type { Route } from "../routes.ts";
import type { Kind } from "./callers.ts";
import { OUTCOMES } from "./outcomes.ts";

/** Public routes that check a key or token themselves. */
const SELF_CHECKED: OperationId[] = ["watchRun", "watchRuns", "watchBatch", "readStream", "readInput"];
/** Those of them that look up the run first: if it belongs to another environment, everybody gets a 404. */
const RUN_FIRST: OperationId[] = ["watchRun", "readStream", "readInput"];

/** Returns the response to a caller of this kind: a status, and the code of a failure. */
export function expectedOf({ id, path, access }: Route, kind: Kind): string {
  const refusal = refusalOf(id, path, access.credential, kind);
  if (refusal !== null) return refusal;
  // Its claims are signed with the secret key, so only a holder of the key can create it.
  if (id === "createTokenClaims" && !isKey(kind)) return "400 secret_key_required";
  return OUTCOMES[id];
}

const isKey = ({ is }: Kind): boolean => is === "secret key" || is === "key of another environment";

function refusalOf(
  id: OperationId,
  path: string,
  credential: Access["credential"],
  kind: Kind,
): string | null {
  switch (credential) {
    case "none":
      return SELF_CHECKED.includes(id) ? refusedBySelf(id, kind) : null;
    case "secretKey":
    case "environment":
      return refusedByEnvironment(id, credential, kind);
    case "accessToken":
      return (
        refusedByMembership(id, path, kind) ??
        onlyFor(kind, "invalid_access_token", "session", "access token")
      );
    case "member":
      if (kind.is === "access token of the organization") return "403 person_required";
      return refusedByMembership(id, path, kind) ?? onlyFor(kind, "not_signed_in", "session", "access token");
    case "project":
      return refusedByMembership(id, path, kind) ?? onlyFor(kind, "not_signed_in", "session", "access token");
    case "session":
      return kind.is === "session" || kind.is === "session of another organization"
        ? null
        : "401 not_signed_in";
    case "token":
      return kind.is.startsWith("access token")
        ? null
        : noBearer(kind)
          ? MISSING
          : "401 invalid_access_token";
    case "host":
      return kind.is === "host" ? null : noBearer(kind) ? MISSING : "401 host_not_registered";
    case "hostToken":
      return kind.is === "host token" ? null : noBearer(kind) ? MISSING : "401 invalid_token";
    case "adminToken":
      return kind.is === "admin token" ? null : noBearer(kind) ? MISSING : "401 invalid_token";
    case "metricsToken":
      return kind.is === "metrics token" ? null : noBearer(kind) ? MISSING : "401 invalid_token";
  }
}

const MISSING = "401 missing_api_key";

/** Callers without a token in the Authorization header. */
const noBearer = ({ is }: Kind): boolean =>
  is === "nobody" || is === "ended session" || is.startsWith("session");

/** Routes of a person's memberships: null is "let through, or not a kind that has memberships". */
function refusedByMembership(id: OperationId, path: string, kind: Kind): string | null {
  const notFound = path.includes("{organization}")
    ? "404 organization_not_found"
    : path.includes("{env}")
      ? "404 environment_not_found"
      : "404 project_not_found";
  switch (kind.is) {
    case "session of another organization":
    case "access token of another organization":
      return notFound;
    case "access token":
      if (!isOfEnvironment(id)) return null;
      if (!scopesAllow(kind.scopes, id)) return "403 scope_missing";
      return mayAs(kind.role, LEAST_ROLE[id]) ? null : "403 role_not_allowed";
    case "session":
      if (!isOfEnvironment(id)) return null;
      return mayAs(kind.role, LEAST_ROLE[id]) ? null : "403 role_not_allowed";
    case "ended session":
      return "401 not_signed_in";
    default:
      return null;
  }
}

/** Refuses kinds that have no membership. */
function onlyFor(kind: Kind, code: string, ...kinds: string[]): string | null {
  if (kinds.some((prefix) => kind.is.startsWith(prefix))) return null;
  if (kind.is === "nobody") return code === "not_signed_in" ? "401 not_signed_in" : MISSING;
  return `401 ${code}`;
}

function refusedByEnvironment(
  id: OperationId,
  credential: "secretKey" | "environment",
  kind: Kind,
): string | null {
  switch (kind.is) {
    case "nobody":
      return MISSING;
    case "ended session":
      return "401 not_signed_in";
    case "secret key":
    case "run token":
      return null;
    case "key of another environment":
      // It acts on its own environment, unless the path names another one.
      return credential === "environment" ? "404 environment_not_found" : null;
    case "public token without scopes":
      return "403 not_allowed";
    case "expired public token":
      return "401 token_expired";
    case "session of another organization":
    case "access token of another organization":
      return "404 environment_not_found";
    case "access token of the organization":
      return null;
    case "session":
    case "access token":
      return refusedByMembership(id, "{env}", kind);
    default:
      return "401 invalid_api_key";
  }
}

function refusedBySelf(id: OperationId, kind: Kind): string | null {
  if (noBearer(kind)) return MISSING;
  switch (kind.is) {
    case "secret key":
    case "run token":
    case "key of another environment":
      return null;
    case "public token without scopes":
      return RUN_FIRST.includes(id) ? null : "403 not_allowed";
    default:
      return "401 invalid_api_key";
  }
}
