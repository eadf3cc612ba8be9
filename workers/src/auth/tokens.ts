import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const hashes = new Map<string, string>();
const MAX_HASHES = 1_000;

/** SHA-256 in hexadecimal. */
export const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** SHA-256 in hexadecimal: how keys are stored. Those of the keys in use are kept: every request asks for one. */
export function sha256(text: string): string {
  let hash = hashes.get(text);
  if (hash === undefined) {
    hash = digest(text);
    if (hashes.size >= MAX_HASHES) hashes.clear();
    hashes.set(text, hash);
  }
  return hash;
}

/** Compares two secrets in a time that tells nothing of them but whether they are equally long. */
export function sameSecret(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}

/** What a token issued by this server allows. */
export interface TokenClaims {
  /** Key of the environment. */
  env: string;
  /** `run`: everything a secret key may do, for code inside a run. `public`: what the scopes say. */
  kind: "run" | "public";
  /** For `public`: such as `read:runs:run_…`. */
  scopes?: string[];
  /** Seconds since the epoch. */
  exp: number;
}

const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");

/** A signature that only this server can make. */
export const sign = (body: string, key: string): string =>
  createHmac("sha256", key).update(body).digest("base64url");

/** A JWT (HS256) signed with the server's key. */
export function issueToken(claims: TokenClaims, key: string): string {
  const body = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  return `${body}.${sign(body, key)}`;
}

/** The claims of a token this server issued and that has not expired; null otherwise. */
export function verifyToken(token: string, key: string, now: number): TokenClaims | null {
  const parts = token.split(".");
  if (parts.length !== 3 || parts[0] !== HEADER) return null;
  if (!sameSecret(parts[2] as string, sign(`${parts[0]}.${parts[1]}`, key))) return null;
  const claims = JSON.parse(Buffer.from(parts[1] as string, "base64url").toString()) as TokenClaims;
  return claims.exp * 1000 > now ? claims : null;
}
