import { createHmac } from "node:crypto";
import type { Context } from "hono";
import { type SigningBindings, signerOf } from "../auth/signing.ts";
import { sameSecret } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";

/** better-auth's cookie. Over https it has the prefix that prevents plain http from setting it. */
const COOKIE = /(?:^|;\s*)(?:__Secure-)?acme\.session_token=([^;]+)/;

/** Returns the raw value of a request's session cookie, valid or not. */
export const sessionCookieOf = (c: Context<App>): string | undefined =>
  COOKIE.exec(c.req.header("cookie") ?? "")?.[1];

/**
 * Returns the secret with which better-auth signs cookies: the one that signed this cookie, so that sessions
 * outlast a rotation of the signing keys; the current one for a new cookie, or one that this server did not
 * sign.
 */
export function cookieSecret(env: SigningBindings, cookie: string | undefined): string {
  const secrets = signerOf(env).derivedSecrets("better-auth", Date.now());
  const [token, signature] = decoded(cookie ?? "").split(".");
  const signer =
    token && signature
      ? secrets.find((secret) =>
          sameSecret(signature, createHmac("sha256", secret).update(token).digest("base64")),
        )
      : undefined;
  return signer ?? (secrets[0] as string);
}

function decoded(cookie: string): string {
  try {
    return decodeURIComponent(cookie);
  } catch {
    return "";
  }
}
