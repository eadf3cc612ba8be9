import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Context } from "hono";
import type { Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { takeToken } from "../http/rate-limit.ts";
import { openRepository } from "../storage/open.ts";
import type { AccessToken } from "../storage/repository.ts";
import { sameSecret, sha256, type TokenClaims, verifyToken } from "./tokens.ts";

export type App = { Bindings: Bindings };

/** A revoked key goes on working for this long at most. */
const KEY_CACHE_MS = 10_000;

const byKeyHash = new Cache<EnvironmentRef>(KEY_CACHE_MS);
const byKey = new Cache<EnvironmentRef>(60_000);
const accessTokens = new Cache<AccessToken>(KEY_CACHE_MS);

export function bearer(c: Context<App>): string {
  const header = c.req.header("authorization");
  if (!header?.startsWith("Bearer ") || header.length === 7) {
    throw new Failure(
      401,
      "missing_api_key",
      "The Authorization header is missing. Send `Authorization: Bearer tr_…` with a secret key of the environment.",
    );
  }
  return header.slice(7);
}

/** The environment of a request: by secret key, or by the token that code inside a run has. Counts against its rate limit. */
export async function authenticate(c: Context<App>): Promise<EnvironmentRef> {
  const key = bearer(c);
  const hash = sha256(key);
  const environment = key.startsWith("tr_")
    ? await environmentByKeyHash(c.env, hash)
    : await environmentByToken(c.env, key, []);
  if (!environment) throw invalidKey();
  await takeToken(c, hash);
  return environment;
}

/** As `authenticate`, and also by a public token that has one of these scopes. */
export async function authenticateScoped(c: Context<App>, scopes: string[]): Promise<EnvironmentRef> {
  const key = bearer(c);
  if (key.startsWith("tr_")) return authenticate(c);
  const environment = await environmentByToken(c.env, key, scopes);
  if (!environment) throw invalidKey();
  await takeToken(c, sha256(key));
  return environment;
}

/** As `authenticate`, and also by a public token whose scopes let it read this run. */
export const authenticateReader = (c: Context<App>, runId: string): Promise<EnvironmentRef> =>
  authenticateScoped(c, ["read:runs", `read:runs:${runId}`]);

/** A project's environment, by personal access token: for the CLI. */
export async function authenticateProject(
  c: Context<App>,
  projectRef: string,
  slug: string,
): Promise<EnvironmentRef> {
  const hash = sha256(bearer(c));
  const repository = openRepository(c.env);
  const token = await accessTokens.through(hash, () => repository.findAccessToken(hash));
  if (!token) {
    throw new Failure(
      401,
      "invalid_access_token",
      "The access token is invalid or revoked. Set ACME_ACCESS_TOKEN to a personal access token (tr_pat_…) of this server.",
    );
  }
  await takeToken(c, hash);
  const environment = await repository.findEnvironment(token.organizationId, projectRef, slug);
  if (!environment) {
    throw new Failure(
      404,
      "environment_not_found",
      `There is no environment "${slug}" of project "${projectRef}" that this token may use. Check \`project\` in acme.config.ts and --env.`,
    );
  }
  return environment;
}

/** Container hosts and administrators have one secret each. */
export function authenticateSecret(c: Context<App>, secret: string, what: string): void {
  if (!secret || !sameSecret(bearer(c), secret)) {
    throw new Failure(401, "invalid_token", `The ${what} is wrong.`);
  }
}

const environmentByKeyHash = (env: Bindings, hash: string): Promise<EnvironmentRef | null> =>
  byKeyHash.through(hash, () => openRepository(env).findEnvironmentByKeyHash(hash));

/** A run's token may do everything; a public one what it has one of these scopes for. Null: it is none of this server's. */
async function environmentByToken(
  env: Bindings,
  token: string,
  scopes: string[],
): Promise<EnvironmentRef | null> {
  const claims = verifyToken(env, token, Date.now());
  if (!claims) return null;
  if (claims.kind !== "run" && !claims.scopes?.some((scope) => scopes.includes(scope))) {
    throw notAllowed(claims, scopes);
  }
  return byKey.through(claims.env, () => openRepository(env).findEnvironmentByKey(claims.env));
}

function notAllowed({ scopes: has = [] }: TokenClaims, scopes: string[]): Failure {
  const needs =
    scopes.length === 0 ? "It takes a secret key (tr_dev_…, tr_prod_…)." : `It takes ${scopes.join(" or ")}.`;
  return new Failure(
    403,
    "not_allowed",
    `This public token does not allow that: it has ${has.join(", ") || "no scopes"}. ${needs} Nothing was changed.`,
  );
}

const invalidKey = (): Failure =>
  new Failure(
    401,
    "invalid_api_key",
    "The API key is invalid or revoked. Use a secret key (tr_dev_…, tr_prod_…) of this server's environment.",
  );
