import type { LivePrincipal } from "@acme/durable-objects/rpc";
import type { Context } from "hono";
import { BRANCH_HEADER } from "../../auth/branch.ts";
import { bearer, tokenHolder } from "../../auth/credentials.ts";
import { sha256 } from "../../auth/tokens.ts";
import type { App } from "../../bindings.ts";
import { Failure } from "../../http/failure.ts";
import { livePrincipalOf } from "../dependencies.ts";
import type { Handle } from "./handle.ts";

/**
 * Authenticates a poll. A token that has expired since the subscription began is accepted as long as its
 * handle is valid: the published client never gets another one, and stops silently at the first 401. Polls
 * don't count against the API's rate limit, because the server holds them and each client has one at a time.
 */
export async function authenticateShape(
  c: Context<App>,
  handle: Handle | null,
  now: number,
): Promise<{ principal: LivePrincipal; skipColumns: string[] | undefined; token: string }> {
  const token = bearer(c);
  const hash = sha256(token).slice(0, 32);
  const isGood = handle?.token === hash && handle.until > now;
  const holder =
    (await tokenHolder(c.env, token, { branch: c.req.header(BRANCH_HEADER) })) ??
    (isGood ? await tokenHolder(c.env, token, { expired: true }) : null);
  if (!holder) {
    throw new Failure(
      401,
      "invalid_api_key",
      "The key or token is invalid, expired or revoked. Use a secret key (tr_dev_…, tr_prod_…) or a public token of this server's environment.",
    );
  }
  return { principal: livePrincipalOf(holder, token), skipColumns: holder.skipColumns, token: hash };
}
