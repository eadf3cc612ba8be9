import { LEAST_ROLE, type Role, TOKEN_SCOPES, type TokenScope } from "@acme/sdk/contract/api";
import { Failure } from "../http/failure.ts";
import type { OfEnvironment } from "./require-role.ts";

/** The scope of an operation is derived from the lowest role that may do it, unless it is listed below. */
const OF_ROLE: Record<Role, TokenScope> = {
  viewer: "read",
  developer: "write",
  admin: "admin",
  owner: "admin",
};

/** Any one of these scopes allows the operation. */
const ALLOWED_BY: Partial<Record<OfEnvironment, readonly TokenScope[]>> = {
  uploadBundle: ["deploy"],
  createDeployment: ["deploy"],
  promoteDeployment: ["deploy"],
  initializeDeployment: ["deploy"],
  finalizeDeployment: ["deploy"],
  failDeployment: ["deploy"],
  appendBuildLog: ["deploy"],
  listBuildLog: ["read", "deploy"],
  // `acme dev` makes the person's development environment.
  createProjectEnvironment: ["write", "deploy"],
  archiveBranch: ["deploy"],
  // Further operations that `acme deploy` and extensions that sync variables need.
  importVariables: ["write", "deploy"],
  getEnvironment: ["read", "deploy"],
  listDeployments: ["read", "deploy"],
  retrieveDeployment: ["read", "deploy"],
  listProjectEnvironments: ["read", "deploy"],
  // A viewer may leave the organization, but a read-only token may not do it for them.
  removeMember: ["admin"],
};

/**
 * The scopes that a scope includes. `deploy` is independent of `read` and `write`: a CI token needs neither.
 */
const INCLUDES: Record<TokenScope, readonly TokenScope[]> = {
  read: ["read"],
  write: ["read", "write"],
  deploy: ["deploy"],
  admin: TOKEN_SCOPES,
};

/** Returns the scopes that allow an operation, narrowest first. A token needs one of them. */
export const scopesFor = (operation: OfEnvironment): readonly TokenScope[] =>
  ALLOWED_BY[operation] ?? [OF_ROLE[LEAST_ROLE[operation]]];

export const scopesAllow = (scopes: readonly TokenScope[], operation: OfEnvironment): boolean => {
  const needed = scopesFor(operation);
  return scopes.some((scope) => INCLUDES[scope].some((included) => needed.includes(included)));
};

/** Throws a 403 that names the missing scope. */
export function requireTokenScope(
  { name, scopes }: { name: string; scopes: readonly TokenScope[] },
  operation: OfEnvironment,
): void {
  if (scopesAllow(scopes, operation)) return;
  const needed = scopesFor(operation);
  throw new Failure(
    403,
    "scope_missing",
    `This access token ("${name}") lacks the scope ${needed.join(" or ")}: it has ${scopes.join(", ") || "none"}. Create a token with that scope, or log in with \`acme login --scope ${needed[0]}\`. Nothing was changed.`,
  );
}

/** Parses stored scopes. Scopes of a later version of the server are left out. */
export const scopesOf = (stored: string): TokenScope[] => {
  const words = stored.split(" ");
  return TOKEN_SCOPES.filter((scope) => words.includes(scope));
};

/** Removes duplicates and sorts. */
export const storedScopes = (scopes: readonly TokenScope[]): string =>
  TOKEN_SCOPES.filter((scope) => scopes.includes(scope)).join(" ");
