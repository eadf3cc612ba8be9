import { z } from "zod";

/** What a key is for, in its owner's words. A key that replaces another one has the same name. */
const KeyName = z.string().trim().min(1, "Give the key a name").max(100);

/** A secret key of an environment, without the key itself. Times are ISO 8601. */
export const ApiKeyBody = z.object({
  /** The first 16 digits of the key's SHA-256. */
  id: z.string(),
  name: z.string(),
  /** How the key begins, such as `tr_prod_sk_4fQz`. Null: not known, because the key was not created here. */
  start: z.string().nullable(),
  createdAt: z.iso.datetime(),
  /** Who created it, as named in the audit log. Null: the operator, or not known. */
  createdBy: z.string().nullable(),
  /** Accurate to about a minute. Null: never used. */
  lastUsedAt: z.iso.datetime().nullable(),
  /**
   * The key is refused after this time, everywhere within 10 s: it was revoked or rotated, or has expired.
   * Absent: the key has no end.
   */
  revokedAt: z.iso.datetime().optional(),
});
export type ApiKeyBody = z.infer<typeof ApiKeyBody>;

/** Valid keys and former ones, newest first. */
export const ListApiKeysResponse = z.object({ data: z.array(ApiKeyBody) });

/** How long a new key is valid, in seconds: from a minute to a year. Null or absent: until it is revoked. */
const ExpiresInSeconds = z.number().int().min(60).max(31_536_000).nullable().default(null);

export const CreateApiKeyBody = z
  .object({ name: KeyName.default("default"), expiresInSeconds: ExpiresInSeconds })
  .strict();

/** `key` is shown only here: the server keeps only its hash. */
export const CreatedApiKey = ApiKeyBody.extend({ key: z.string() });
export type CreatedApiKey = z.infer<typeof CreatedApiKey>;

export const RotateApiKeyBody = z.object({
  /** How long the former key remains valid: at most 7 days. Default: one day. */
  overlapSeconds: z.number().int().min(0).max(604_800).default(86_400),
  /** When the new key expires. The former key's expiry does not affect it. */
  expiresInSeconds: ExpiresInSeconds,
});
