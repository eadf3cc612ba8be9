import { CreatePublicTokenBody, parseDuration } from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { bearer } from "../auth/credentials.ts";
import { access } from "../auth/middleware.ts";
import { isScope, SCOPE_ACTIONS, SCOPE_TYPES } from "../auth/scopes.ts";
import { claimsToSign } from "../auth/self-signed.ts";
import { issuePublicToken } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { readRequiredBody } from "../http/body.ts";
import { Failure } from "../http/failure.ts";

const DEFAULT_SECONDS = 15 * 60;
const MAX_SECONDS = 30 * 24 * 3_600;

/**
 * Routes for public tokens, which can be given to browsers. A holder of the environment's key, or code inside
 * a run, creates them.
 */
export const publicTokenRoutes = new Hono<App>()
  .post("/api/v1/auth/public-tokens", access("createPublicToken"), async (c) => {
    const { expirationTime, oneTimeUse, realtime, scopes } = await readRequiredBody(c, CreatePublicTokenBody);
    const unknown = scopes.filter((scope) => !isScope(scope));
    if (unknown.length > 0) {
      throw new Failure(
        400,
        "invalid_scopes",
        `These are no scopes: ${unknown.slice(0, 5).join(", ")}. A scope is action:type or action:type:id, with an action of ${SCOPE_ACTIONS.join(", ")} and a type of ${SCOPE_TYPES.join(", ")}; or admin.`,
      );
    }
    const seconds = secondsOf(expirationTime);
    const token = issuePublicToken(c.env, c.var.environment.key, {
      scopes,
      seconds,
      realtime,
      otu: oneTimeUse,
    });
    return c.json({ token });
  })
  .post("/api/v1/auth/jwt/claims", access("createTokenClaims"), (c) =>
    c.json(claimsToSign(c.env, c.var.environment.id, secretKeyOf(c))),
  );

/** Returns how long a token is valid. Throws a 400 unless it ends within 30 days. */
function secondsOf(expirationTime: string | number | undefined): number {
  if (expirationTime === undefined) return DEFAULT_SECONDS;
  const seconds =
    typeof expirationTime === "number"
      ? expirationTime - Date.now() / 1000
      : (parseDuration(expirationTime) ?? Number.NaN) / 1000;
  if (seconds > 0 && seconds <= MAX_SECONDS) return Math.ceil(seconds);
  throw new Failure(
    400,
    "invalid_expiration_time",
    'expirationTime is a duration such as "15m" or "1h", or a time in seconds since the epoch, in the future and at most 30 days from now.',
  );
}

/** Only a key that outlives the request can be checked later. */
function secretKeyOf(c: Context<App>): string {
  if (c.var.credential.type === "secretKey") return bearer(c);
  throw new Failure(
    400,
    "secret_key_required",
    "Only with a secret key (tr_dev_…, tr_prod_…) a client can sign public tokens itself. Ask the server for one: POST /api/v1/auth/public-tokens.",
  );
}
