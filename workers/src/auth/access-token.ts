import { ENVIRONMENT_HEADER, type TokenScope } from "@acme/sdk/contract/api";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { bearerOf } from "../http/authorization.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { takeToken } from "../http/rate-limit.ts";
import { type Membership, membershipByName, membershipByPath, requireInUse } from "../people/membership.ts";
import { isOfEnvironment, requireRole } from "../people/require-role.ts";
import type { Person } from "../people/session.ts";
import { requireTokenScope, scopesOf } from "../people/token-scopes.ts";
import { openRepository } from "../storage/open.ts";
import type { AccessToken } from "../storage/repository.ts";
import { openSql } from "../storage/sql-connection.ts";
import type { OperationId } from "./access.ts";
import { type Authenticated, bearer } from "./credentials.ts";
import { noteUse } from "./key-use.ts";
import { sha256 } from "./tokens.ts";

/** The access token that a request was made with. */
export interface HeldToken {
  id: string;
  name: string;
  organizationId: string;
  /** Null: the token is the organization's own, made by the operator, and its scopes alone decide. */
  person: Person | null;
  scopes: TokenScope[];
}

/** A revoked token is accepted for at most this long after its revocation. */
const TOKEN_CACHE_MS = 10_000;

const tokens = new Cache<AccessToken>(TOKEN_CACHE_MS);

/** To be called when tokens were revoked, so that this isolate knows at once. */
export const forgetAccessTokens = (): void => tokens.clear();

export const ACCESS_TOKEN_PREFIX = "tr_pat_";

/** Returns whether a request carries an access token, valid or not. */
export const hasAccessToken = (c: Context<App>): boolean => isAccessToken(bearerOf(c) ?? "");

export const isAccessToken = (text: string): boolean => text.startsWith(ACCESS_TOKEN_PREFIX);

/**
 * Returns the request's access token, and counts the request against the token's rate limit. Throws a 401 or
 * 429.
 */
export async function authenticateToken(c: Context<App>, text: string = bearer(c)): Promise<HeldToken> {
  const hash = sha256(text);
  const token = await tokens.through(hash, () => openRepository(c.env).findAccessToken(hash));
  if (!token || (token.userId !== null && token.user === null)) {
    throw new Failure(
      401,
      "invalid_access_token",
      "The access token is invalid or revoked. Log in with `acme login`, or set ACME_ACCESS_TOKEN to a personal access token (tr_pat_…) of this server.",
    );
  }
  if (token.expiresAt !== null && token.expiresAt <= Date.now()) throw expired(token.name, token.expiresAt);
  noteUse(c.env, "accessToken", hash);
  await takeToken(c, hash);
  const { id, name, organizationId, user, scopes } = token;
  return { id, name, organizationId, person: user, scopes: scopesOf(scopes) };
}

/** Does the same for an operation that the token's scopes have to allow. Throws a 401, 403 or 429. */
export async function authenticateScopedToken(
  c: Context<App>,
  operation: OperationId,
  text: string = bearer(c),
): Promise<HeldToken> {
  const token = await authenticateToken(c, text);
  if (isOfEnvironment(operation)) requireTokenScope(token, operation);
  return token;
}

/**
 * Finds a project's environment for an access token: one of the token's organization, of which its person is a member with
 * a role that may do the operation. Throws a 401, 403, 404 or 429.
 */
export async function authenticateProjectToken(
  c: Context<App>,
  operation: OperationId,
  projectRef: string,
  slug: string,
): Promise<Authenticated> {
  const token = await authenticateScopedToken(c, operation);
  if (token.person === null) return ofOrganization(c, token, projectRef, slug);
  const found = await membershipByPath(() => openSql(c.env), token.person.id, projectRef, slug);
  return ofMember(c, token, operation, found, `${projectRef}/${slug}`);
}

/** Does the same if a header names the environment: `env_…`, or `PROJECTREF/SLUG`. */
export const authenticateNamedToken = (c: Context<App>, operation: OperationId): Promise<Authenticated> =>
  ofNamed(c, operation, bearer(c), c.req.header(ENVIRONMENT_HEADER), `in the header ${ENVIRONMENT_HEADER}`);

/**
 * Does the same for a WebSocket, which sends the token as `offered` and names the environment in its address.
 */
export const authenticateOfferedToken = (
  c: Context<App>,
  operation: OperationId,
  offered: string,
): Promise<Authenticated> => ofNamed(c, operation, offered, c.req.query("environment"), "in ?environment=");

async function ofNamed(
  c: Context<App>,
  operation: OperationId,
  text: string,
  name: string | undefined,
  where: string,
): Promise<Authenticated> {
  // The token is checked first, so that a caller without a valid one learns nothing else.
  const token = await authenticateScopedToken(c, operation, text);
  const named = name?.slice(0, 256);
  if (!named) {
    throw new Failure(
      400,
      "environment_missing",
      `Name the environment: PROJECTREF/SLUG, such as proj_default/prod, or its id (env_…) ${where}. Nothing was changed.`,
    );
  }
  if (token.person === null) {
    const [ref = "", slug = ""] = named.split("/");
    return ofOrganization(c, token, ref, slug);
  }
  const found = await membershipByName(() => openSql(c.env), token.person.id, named);
  return ofMember(c, token, operation, found, named);
}

async function ofOrganization(
  c: Context<App>,
  token: HeldToken,
  projectRef: string,
  slug: string,
): Promise<Authenticated> {
  const repository = openRepository(c.env);
  const environment = await repository.findEnvironment(token.organizationId, projectRef, slug);
  if (!environment) throw environmentNotFound(`${projectRef}/${slug}`);
  return { environment, credential: { type: "accessToken", token } };
}

function ofMember(
  c: Context<App>,
  token: HeldToken,
  operation: OperationId,
  found: Membership | null,
  name: string,
): Authenticated {
  if (found?.environment.organization.id !== token.organizationId) throw environmentNotFound(name);
  requireRole(found.role, operation);
  requireInUse(c.req.method, found);
  return { environment: found.environment, credential: { type: "accessToken", token } };
}

const environmentNotFound = (name: string): Failure =>
  new Failure(
    404,
    "environment_not_found",
    `There is no environment "${name.slice(0, 128)}" that this token may use. Check \`project\` in acme.config.ts and --env. Nothing was changed.`,
  );

const expired = (name: string, at: number): Failure =>
  new Failure(
    401,
    "expired_access_token",
    `The access token ("${name}") expired on ${new Date(at).toISOString()}. Log in again with \`acme login\`, or create another token.`,
  );
