import { z } from "zod";
import { commaList, QueryText, RangeQuery, wholeNumber } from "./queries.ts";
import { TOKEN_FORM_LIMITS, TokenForm } from "./token-form.ts";
import { Delay, IdempotencyKey, KeyTtl, RunTags } from "./trigger.ts";

/** `code` of the error that a token's wait ends with after its timeout (an INTERNAL_ERROR of the journal). */
export const WAITPOINT_TIMEOUT = "TRIGGER_WAITPOINT_TIMEOUT";

export const TOKEN_STATUSES = ["WAITING", "COMPLETED", "TIMED_OUT"] as const;
export type TokenStatus = (typeof TOKEN_STATUSES)[number];

export const CreateTokenBody = z.object({
  idempotencyKey: IdempotencyKey.optional(),
  idempotencyKeyTTL: KeyTtl.optional(),
  /** A duration such as "30s", "1h" or "7d", or an ISO 8601 date. */
  timeout: Delay.optional(),
  tags: RunTags.optional(),
  ...TokenForm.shape,
});

export const CreateTokenResponse = z.object({
  id: z.string(),
  isCached: z.boolean(),
  /** A POST to this address completes the token with the request's body. */
  url: z.string(),
  /** Allows its holder to complete this token, for 24 hours. */
  publicAccessToken: z.string(),
});

const Time = z.iso.datetime();

/** Who completed a token. `link`: a person without an account, under the name that they entered. */
export const TokenAnswerer = z.object({
  type: z.enum(["user", "access_token", "key", "callback", "link"]),
  name: z.string().optional(),
});
export type TokenAnswerer = z.infer<typeof TokenAnswerer>;

export const TokenItem = z.object({
  id: z.string(),
  url: z.string(),
  status: z.enum(TOKEN_STATUSES),
  completedAt: Time.optional(),
  timeoutAt: Time.optional(),
  idempotencyKey: z.string().optional(),
  idempotencyKeyExpiresAt: Time.optional(),
  tags: z.array(z.string()),
  /** The question, for people. */
  title: z.string().optional(),
  createdAt: Time,
});
export type TokenItem = z.infer<typeof TokenItem>;

export const RetrieveTokenResponse = TokenItem.extend({
  /** Text of type `outputType`. For an error: JSON with `code` and `message`. */
  output: z.string().optional(),
  outputType: z.string().optional(),
  outputIsError: z.boolean().optional(),
  description: z.string().optional(),
  /** The JSON schema of an answer. */
  schema: z.record(z.string(), z.unknown()).optional(),
  answeredBy: TokenAnswerer.optional(),
});
export type RetrieveTokenResponse = z.infer<typeof RetrieveTokenResponse>;

export const CompleteTokenBody = z.object({ data: z.unknown().optional() });
export const CompleteTokenResponse = z.object({ success: z.literal(true) });

export const ListTokensResponse = z.object({
  data: z.array(TokenItem),
  pagination: z.object({ next: z.string().optional(), previous: z.string().optional() }),
});

const Cursor = z.string().regex(/^waitpoint_[0-9a-z]{1,64}$/, "Give `next` or `previous` of a page");

/** The query of `GET /api/v1/waitpoints/tokens`, under the names the client sends. */
export const ListTokensQuery = z.object({
  "filter[status]": commaList(z.enum(TOKEN_STATUSES)).optional(),
  "filter[idempotencyKey]": z.string().max(2_048).optional(),
  "filter[tags]": commaList(QueryText).optional(),
  ...RangeQuery,
  "page[size]": wholeNumber("Give a number from 1 to 100").pipe(z.number().min(1).max(100)).optional(),
  "page[after]": Cursor.optional(),
  "page[before]": Cursor.optional(),
});

export const CreateTokenLinkBody = z.object({
  /** How long the link is valid: a duration such as "8h" or "7d", at most 30 days. Default: 7 days. */
  expiresIn: z.string().max(32).optional(),
});

/** A page on which a person without an account can answer this one token. */
export const TokenLink = z.object({ url: z.string(), expiresAt: Time });
export type TokenLink = z.infer<typeof TokenLink>;

/** What a person with a link sees of a token: nothing about the run, its tags or the answer. */
export const TokenQuestion = z.object({
  status: z.enum(TOKEN_STATUSES),
  title: z.string().optional(),
  description: z.string().optional(),
  schema: z.record(z.string(), z.unknown()).optional(),
  createdAt: Time,
  timeoutAt: Time.optional(),
  completedAt: Time.optional(),
  /** The link is valid until this time. */
  expiresAt: Time,
});
export type TokenQuestion = z.infer<typeof TokenQuestion>;

export const AnswerTokenBody = z.object({
  data: z.unknown().optional(),
  /** The name that the person enters. */
  name: z.string().trim().max(TOKEN_FORM_LIMITS.name).optional(),
});
