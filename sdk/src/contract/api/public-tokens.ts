import { z } from "zod";

/** `POST /api/v1/auth/public-tokens`. */
export const CreatePublicTokenBody = z.object({
  /** `action:type[:id]`, such as `read:runs:run_…`; `admin` covers everything. */
  scopes: z.array(z.string().min(1).max(512)).min(1, "Give at least one scope").max(100),
  /** A duration such as "1h", or the end in seconds since the epoch. At most 30 days from now. Default 15 minutes. */
  expirationTime: z.union([z.string().max(64), z.number()]).optional(),
  /** True: the token can be used for one trigger or one batch only. */
  oneTimeUse: z.boolean().optional(),
  realtime: z.object({ skipColumns: z.array(z.string().max(64)).max(50).optional() }).optional(),
});

export const PublicTokenResponse = z.object({ token: z.string() });

/**
 * `POST /api/v1/auth/jwt/claims`: the claims that a client puts into public tokens that it signs with its
 * secret key.
 */
export const TokenClaimsResponse = z.object({ sub: z.string(), pub: z.literal(true), sealed: z.string() });
