import { z } from "zod";

/** A secret key of an environment, without the key itself. Times are ISO 8601. */
export const ApiKeyBody = z.object({
  /** The first 16 digits of the key's SHA-256. */
  id: z.string(),
  createdAt: z.iso.datetime(),
  /** After it the key is refused, everywhere within 10 s. Absent: it has no end. */
  revokedAt: z.iso.datetime().optional(),
});
export type ApiKeyBody = z.infer<typeof ApiKeyBody>;

/** Keys that are accepted, and those that ended; the newest first. */
export const ListApiKeysResponse = z.object({ data: z.array(ApiKeyBody) });

/** `key` is shown this once: the server keeps only its hash. */
export const CreatedApiKey = ApiKeyBody.extend({ key: z.string() });
export type CreatedApiKey = z.infer<typeof CreatedApiKey>;

/** How long the former key is still accepted, in seconds: at most 7 days, by default one. */
export const RotateApiKeyBody = z.object({
  overlapSeconds: z.number().int().min(0).max(604_800).default(86_400),
});
