import { parseDuration } from "@acme/sdk/contract/api";
import type { Signer } from "../auth/signing.ts";
import { Failure } from "../http/failure.ts";

const DEFAULT_MS = 7 * 86_400_000;
const MAX_MS = 30 * 86_400_000;

/** Returns when a link that is created now expires. Throws a 400 unless that is within 30 days. */
export function linkExpiry(expiresIn: string | undefined, now: number): number {
  const ms = expiresIn === undefined ? DEFAULT_MS : parseDuration(expiresIn);
  if (ms !== null && ms > 0 && ms <= MAX_MS) return now + ms;
  throw new Failure(
    400,
    "invalid_expiration",
    'expiresIn is a duration such as "8h" or "7d", of at most 30 days.',
  );
}

/** The signed text: a link is valid for this token, until this time. */
const textOf = (id: string, expiresAt: string): string => `${id}:${expiresAt}`;

/**
 * Returns the address of the page that shows the token's question. Its last part is
 * `EXPIRES.KEY-ID.SIGNATURE`.
 */
export function answerLink(
  signer: Signer,
  base: string,
  id: string,
  expiresAt: number,
): { url: string; expiresAt: number } {
  const expires = Math.ceil(expiresAt).toString(36);
  return { url: `${base}/answer/${id}/${expires}.${signer.sign("answer", textOf(id, expires))}`, expiresAt };
}

/**
 * Returns when the link with this signature expires; null if it is not a link of this token, or has expired.
 */
export function verifiedExpiry(signer: Signer, id: string, signature: string, now: number): number | null {
  const [, expires = "", rest = ""] = /^([0-9a-z]{1,11})\.(.{1,512})$/.exec(signature) ?? [];
  const expiresAt = Number.parseInt(expires, 36);
  if (!(expiresAt > now) || !signer.verify("answer", textOf(id, expires), rest, now)) return null;
  return expiresAt;
}
