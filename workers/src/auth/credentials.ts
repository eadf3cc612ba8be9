import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Role } from "@acme/sdk/contract/api";
import type { Context } from "hono";
import type { App, Bindings } from "../bindings.ts";
import { hasEnded } from "../hosts/run-tokens.ts";
import { bearerOf } from "../http/authorization.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { takeToken } from "../http/rate-limit.ts";
import type { Session } from "../people/session.ts";
import { openRepository } from "../storage/open.ts";
import type { HeldToken } from "./access-token.ts";
import { branchOf, hasBranches } from "./branch.ts";
import { noteUse } from "./key-use.ts";
import { type Asked, requirePublicScopes } from "./public-scopes.ts";
import { verifySelfSigned } from "./self-signed.ts";
import { digest, type PublicClaims, sameSecret, sha256, type TokenClaims, verifyToken } from "./tokens.ts";

/** The credential that a request was authenticated with. */
export type Credential =
  | { type: "secretKey" }
  /** The token of a lease: code inside the run may do with it what a secret key may. */
  | { type: "run"; runId: string; lease: number }
  | {
      type: "public";
      scopes: string[];
      realtime?: PublicClaims["realtime"];
      /** A one-time token: its id, and until when its use is remembered. */
      once?: { tokenHash: string; expiresAt: number };
    }
  | { type: "accessToken"; token: HeldToken }
  /** A person who is signed in, with their role in the environment's organization. */
  | { type: "session"; session: Session; role: Role };

/** The environment that a request acts on, and the credential that allows it. */
export interface Authenticated {
  environment: EnvironmentRef;
  credential: Credential;
}

/** To be called when keys were revoked, so that this isolate knows at once. */
export const forgetKeys = (): void => byKeyHash.clear();

/** A revoked key is accepted for at most this long after its revocation. */
const KEY_CACHE_MS = 10_000;

const byKeyHash = new Cache<EnvironmentRef>(KEY_CACHE_MS);
const byKey = new Cache<EnvironmentRef>(60_000);

export function bearer(c: Context<App>): string {
  const key = bearerOf(c);
  if (key === undefined) {
    throw new Failure(
      401,
      "missing_api_key",
      "The Authorization header is missing. Send `Authorization: Bearer tr_…` with a secret key of the environment.",
    );
  }
  return key;
}

/**
 * Finds the environment of a secret key, of a run's token, or of a public token whose scopes cover the
 * request, and counts the request against the rate limit of that credential. Throws a 401, 403 or 429.
 */
export async function authenticateEnvironment(c: Context<App>, asked: Asked): Promise<Authenticated> {
  const key = bearer(c);
  const hash = sha256(key);
  const found = key.startsWith("tr_")
    ? await bySecretKey(c.env, hash)
    : await bySignedToken(c.env, key, asked);
  if (!found) throw key.startsWith("tr_") ? invalidKey() : await refusedToken(c.env, key);
  await takeToken(c, hash);
  return found;
}

/** Finds the environment of a secret key. Throws a 401 or 429. */
export async function authenticateKey(c: Context<App>, key: string): Promise<Authenticated> {
  const hash = sha256(key);
  const found = await bySecretKey(c.env, hash);
  if (!found) throw invalidKey();
  await takeToken(c, hash);
  return found;
}

/** Checks one of the server's own secrets. Throws a 401. */
export function authenticateSecret(c: Context<App>, secret: string, what: string): void {
  if (!secret || !sameSecret(bearer(c), secret)) {
    throw new Failure(401, "invalid_token", `The ${what} is wrong.`);
  }
}

async function bySecretKey(env: Bindings, hash: string): Promise<Authenticated | null> {
  const environment = await byKeyHash.through(hash, () => openRepository(env).findEnvironmentByKeyHash(hash));
  if (!environment) return null;
  noteUse(env, "key", hash);
  return { environment, credential: { type: "secretKey" } };
}

/** What a key or token may watch. `scopes` null: everything in the environment. */
export interface TokenHolder {
  environment: EnvironmentRef;
  scopes: string[] | null;
  /** Milliseconds since the epoch; null: it does not expire. */
  expiresAt: number | null;
  /** Columns of runs that its holder is not shown. */
  skipColumns?: string[];
  /** What the token was issued for, where it says that. */
  proof?: string;
}

/**
 * Finds the principal of a key or token, whatever its scopes. Returns null if this server does not know it,
 * or if it has expired and `expired` does not accept that. `branch`: the value of the branch header.
 */
export async function tokenHolder(
  env: Bindings,
  token: string,
  options: { expired?: boolean; branch?: string } = {},
): Promise<TokenHolder | null> {
  if (token.startsWith("tr_")) {
    const found = await bySecretKey(env, sha256(token));
    if (!found) return null;
    const { environment } = found;
    const branch = hasBranches(environment) ? await branchOf(env, environment, options.branch) : null;
    return { environment: { ...environment, ...branch?.environment }, scopes: null, expiresAt: null };
  }
  const claims = await claimsOf(env, token, options.expired ? 0 : Date.now());
  if (!claims) return null;
  const environment = await byKey.through(claims.env, () =>
    openRepository(env).findEnvironmentByKey(claims.env),
  );
  if (!environment) return null;
  const expiresAt = claims.exp * 1000;
  if (claims.kind === "run") return { environment, scopes: null, expiresAt };
  const { realtime, scopes, proof } = claims;
  return { environment, scopes, expiresAt, skipColumns: realtime?.skipColumns, proof };
}

/** Whether a secret key, known by its hash, is valid at this moment: for who keeps the answer. */
export const isValidKeyHash = async (env: Bindings, hash: string): Promise<boolean> =>
  (await openRepository(env).findEnvironmentByKeyHash(hash)) !== null;

/**
 * Returns null if this server did not issue the token, or it has expired. Throws a 403 if its scopes are too
 * narrow.
 */
async function bySignedToken(env: Bindings, token: string, asked: Asked): Promise<Authenticated | null> {
  const claims = await claimsOf(env, token, Date.now());
  if (!claims) return null;
  if (claims.kind === "run" && hasEnded({ runId: claims.run, token: claims.lease }))
    throw leaseEnded(claims.run);
  if (claims.kind === "public") await requirePublicScopes(env, claims, asked);
  const environment = await byKey.through(claims.env, () =>
    openRepository(env).findEnvironmentByKey(claims.env),
  );
  const credential: Credential =
    claims.kind === "run"
      ? { type: "run", runId: claims.run, lease: claims.lease }
      : {
          type: "public",
          scopes: claims.scopes,
          realtime: claims.realtime,
          once: claims.otu ? { tokenHash: digest(token), expiresAt: claims.exp * 1000 } : undefined,
        };
  return environment && { environment, credential };
}

/**
 * Returns the claims of a token that this server issued, or that a client signed with a secret key that is
 * still valid.
 */
async function claimsOf(env: Bindings, token: string, now: number): Promise<TokenClaims | null> {
  const issued = verifyToken(env, token, now);
  if (issued) return issued;
  const signed = verifySelfSigned(env, token, now);
  if (!signed) return null;
  const { exp, otu, realtime, scopes, sub } = signed.claims;
  const found = await bySecretKey(env, sha256(signed.secretKey));
  if (found?.environment.id !== sub) return null;
  return { env: found.environment.key, kind: "public", exp, otu, realtime, scopes };
}

/** Says why a signed token is refused: it expired, or it is none. */
async function refusedToken(env: Bindings, token: string): Promise<Failure> {
  const claims = await claimsOf(env, token, 0);
  if (!claims) return invalidKey();
  const at = new Date(claims.exp * 1000).toISOString();
  return claims.kind === "run"
    ? new Failure(401, "token_expired", `The token of run ${claims.run} expired at ${at}.`)
    : new Failure(
        401,
        "token_expired",
        `This public token expired at ${at}. Create another one: auth.createPublicToken(), or POST /api/v1/auth/public-tokens.`,
      );
}

const leaseEnded = (runId: string): Failure =>
  new Failure(
    401,
    "run_token_ended",
    `This is the token of an attempt of run ${runId} that is over. Code inside a run must not use its token after the run.`,
  );

const invalidKey = (): Failure =>
  new Failure(
    401,
    "invalid_api_key",
    "The API key is invalid or revoked. Use a secret key (tr_dev_…, tr_prod_…) of this server's environment, or a public token that it issued.",
  );
