/**
 * Public tokens that the published client signs itself, with a secret key that this server holds only as a
 * hash. The client copies the claims of `POST /api/v1/auth/jwt/claims` into each token, so the server puts
 * the key there, encrypted under its own signing key, and gets it back with the token. Only this server can
 * use an encrypted key.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { z } from "zod";
import { type SigningBindings, sealingKeys } from "./signing.ts";
import { sameSecret } from "./tokens.ts";

const ISSUER = "https://id.trigger.dev";
const AUDIENCE = "https://api.trigger.dev";
/** The published client's header, exactly. */
const HEADER = Buffer.from('{"alg":"HS256"}').toString("base64url");
const IV_BYTES = 12;
const TAG_BYTES = 16;

const Claims = z.object({
  /** Id of the environment. */
  sub: z.string(),
  pub: z.literal(true),
  sealed: z.string(),
  iss: z.literal(ISSUER),
  aud: z.literal(AUDIENCE),
  exp: z.number(),
  scopes: z.array(z.string()).default([]),
  otu: z.boolean().optional(),
  realtime: z.object({ skipColumns: z.array(z.string()).optional() }).optional(),
});
export type SelfSignedClaims = z.infer<typeof Claims>;

/** Returns the claims that the client has to put into the tokens that it signs with this key. */
export function claimsToSign(env: SigningBindings, environmentId: string, secretKey: string) {
  const { id, key } = sealingKeys(env)[0] as { id: string; key: Buffer };
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const sealed = Buffer.concat([iv, cipher.update(secretKey, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { sub: environmentId, pub: true as const, sealed: `${id}.${sealed.toString("base64url")}` };
}

/**
 * Returns the claims of a token that was signed with one of this server's keys, and that key; null otherwise.
 * The caller has to check that the key is still valid and belongs to the environment.
 */
export function verifySelfSigned(
  env: SigningBindings,
  token: string,
  now: number,
): { claims: SelfSignedClaims; secretKey: string } | null {
  const [header, body = "", signature = "", ...rest] = token.split(".");
  if (header !== HEADER || rest.length > 0) return null;
  const parsed = Claims.safeParse(jsonOf(body));
  if (!parsed.success || parsed.data.exp * 1_000 <= now) return null;
  const secretKey = unseal(env, parsed.data.sealed);
  if (secretKey === null) return null;
  const expected = createHmac("sha256", secretKey).update(`${header}.${body}`).digest("base64url");
  return sameSecret(signature, expected) ? { claims: parsed.data, secretKey } : null;
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(Buffer.from(body, "base64url").toString());
  } catch {
    return undefined;
  }
}

function unseal(env: SigningBindings, sealed: string): string | null {
  const dot = sealed.indexOf(".");
  const key = sealingKeys(env).find(({ id }) => id === sealed.slice(0, Math.max(dot, 0)))?.key;
  const bytes = Buffer.from(sealed.slice(dot + 1), "base64url");
  if (!key || bytes.length <= IV_BYTES + TAG_BYTES) return null;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, IV_BYTES));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([
      decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]).toString();
  } catch {
    return null;
  }
}
