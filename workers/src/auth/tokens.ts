import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { type SigningBindings, signerOf } from "./signing.ts";

const hashes = new Map<string, string>();
const MAX_HASHES = 1_000;

/** SHA-256 in hexadecimal. */
export const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Returns the SHA-256 in hexadecimal, as keys are stored. Hashes of keys in use are cached, because every
 * request needs one.
 */
export function sha256(text: string): string {
  let hash = hashes.get(text);
  if (hash === undefined) {
    hash = digest(text);
    if (hashes.size >= MAX_HASHES) hashes.clear();
    hashes.set(text, hash);
  }
  return hash;
}

/** Compares two secrets. Its duration reveals only whether their lengths are equal. */
export function sameSecret(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}

const Claims = {
  /** Key of the environment. */
  env: z.string(),
  /** Seconds since the epoch. */
  exp: z.number(),
};

/** The token of one lease of a run: code inside the run may do with it what a secret key may. */
export const RunClaims = z.object({
  ...Claims,
  kind: z.literal("run"),
  /** The run's id. */
  run: z.string(),
  /** The lease's fencing token. */
  lease: z.number(),
  /** The host that holds the lease. */
  host: z.string(),
});
export type RunClaims = z.infer<typeof RunClaims>;

/** A public token with its scopes, such as `read:runs:run_…`. */
export const PublicClaims = z.object({
  ...Claims,
  kind: z.literal("public"),
  scopes: z.array(z.string()),
  /** True: it can be used for one trigger or one batch only. */
  otu: z.boolean().optional(),
  jti: z.string().optional(),
  /** What it was issued for: the key, access token or session, as `proof.ts` writes it. */
  proof: z.string().optional(),
  /** Columns of runs that its holder is not shown. */
  realtime: z.object({ skipColumns: z.array(z.string()).optional() }).optional(),
});
export type PublicClaims = z.infer<typeof PublicClaims>;

/** The claims of a token issued by this server. */
export const TokenClaims = z.discriminatedUnion("kind", [RunClaims, PublicClaims]);
export type TokenClaims = z.infer<typeof TokenClaims>;

/** A JWT signed with the server's current key. */
export const issueToken = (env: SigningBindings, claims: TokenClaims): string =>
  signerOf(env).issueJwt(claims);

/** Returns the claims of a token that this server issued and that has not expired; null otherwise. */
export function verifyToken(env: SigningBindings, token: string, now: number): TokenClaims | null {
  const claims = TokenClaims.safeParse(signerOf(env).verifyJwt(token, now));
  return claims.success && claims.data.exp * 1000 > now ? claims.data : null;
}

/** Issues a public token of an environment with a lifetime in seconds. */
export const issuePublicToken = (
  env: SigningBindings,
  environmentKey: string,
  { seconds, ...claims }: Pick<PublicClaims, "scopes" | "realtime" | "otu" | "proof"> & { seconds: number },
): string =>
  issueToken(env, {
    env: environmentKey,
    kind: "public",
    exp: Math.floor(Date.now() / 1000) + seconds,
    ...claims,
    // Two one-time tokens of the same second must differ, because each can be used once.
    ...(claims.otu ? { jti: crypto.randomUUID() } : {}),
  });
