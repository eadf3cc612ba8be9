import { z } from "zod";
import { Person, Role } from "./people.ts";

/**
 * The upper bound of what a personal access token may do: its owner's role in the organization is checked as
 * well.
 *  - read: see everything that a viewer sees.
 *  - write: also work with runs, queues, schedules, waitpoint tokens and variables.
 *  - deploy: upload and promote deployments, import variables, create and archive preview branches. For CI.
 *  - admin: everything that the owner may do, including keys, members and projects.
 */
export const TOKEN_SCOPES = ["read", "write", "deploy", "admin"] as const;
export const TokenScope = z.enum(TOKEN_SCOPES);
export type TokenScope = z.infer<typeof TokenScope>;

const Scopes = z.array(TokenScope).min(1, "Give at least one scope").max(TOKEN_SCOPES.length);

export const TOKEN_LIMITS = {
  /** The maximum number of valid tokens that one person can have. */
  perPerson: 100,
  nameLength: 100,
  maxDays: 365,
  defaultDays: 90,
} as const;

/** A personal access token, without the token itself. */
export const AccessTokenObject = z.object({
  id: z.string(),
  name: z.string(),
  /** How the token begins, such as `tr_pat_4fQz`. */
  start: z.string().nullable(),
  scopes: z.array(TokenScope),
  organization: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  createdAt: z.iso.datetime(),
  /** Accurate to about a minute. Null: never used. */
  lastUsedAt: z.iso.datetime().nullable(),
  /** Null: the token does not expire. */
  expiresAt: z.iso.datetime().nullable(),
});
export type AccessTokenObject = z.infer<typeof AccessTokenObject>;

/** The caller's own tokens that were not revoked, including expired ones, newest first. */
export const ListAccessTokensResponse = z.object({ data: z.array(AccessTokenObject) });

export const CreateAccessTokenBody = z
  .object({
    name: z.string().trim().min(1, "Give the token a name").max(TOKEN_LIMITS.nameLength),
    /** Slug or id of the organization that the token is for. */
    organization: z.string().min(1).max(128),
    scopes: Scopes,
    /** Null: the token does not expire. */
    expiresInDays: z
      .number()
      .int()
      .min(1)
      .max(TOKEN_LIMITS.maxDays)
      .nullable()
      .default(TOKEN_LIMITS.defaultDays),
  })
  .strict();

/** `token` is shown only here: the server keeps only its hash. */
export const CreatedAccessToken = AccessTokenObject.extend({ token: z.string() });
export type CreatedAccessToken = z.infer<typeof CreatedAccessToken>;

/** Describes the access token that the request was made with. */
export const WhoamiResponse = AccessTokenObject.extend({
  /** Null: the token belongs to the organization itself; the server's operator created it. */
  user: Person.nullable(),
  /** The person's role in the organization; null: the token has no person, and its scopes alone decide. */
  role: Role.nullable(),
});
export type WhoamiResponse = z.infer<typeof WhoamiResponse>;

/**
 * The device authorization flow (RFC 8628): a program requests a token, and a person approves the request in
 * a browser.
 */
export const StartDeviceLoginBody = z
  .object({
    /** The requesting program as the person sees it, such as the name of the machine. */
    clientName: z.string().trim().min(1).max(TOKEN_LIMITS.nameLength).default("acme"),
    scopes: Scopes.default(["read", "write", "deploy"]),
  })
  .strict();

export const StartDeviceLoginResponse = z.object({
  /** The program's secret, with which it polls. */
  deviceCode: z.string(),
  /** The code that the person compares or types: `BCDF-GHJK`. */
  userCode: z.string(),
  verificationUri: z.string(),
  verificationUriComplete: z.string(),
  /** Seconds until both codes expire. */
  expiresIn: z.number(),
  /** Seconds to wait between two polls. After `slow_down`, the program waits five seconds more. */
  interval: z.number(),
});
export type StartDeviceLoginResponse = z.infer<typeof StartDeviceLoginResponse>;

export const PollDeviceLoginBody = z.object({ deviceCode: z.string().min(1).max(128) }).strict();

const UserCode = z.string().trim().min(1).max(32);
export const UserCodeBody = z.object({ userCode: UserCode }).strict();

/** A pending login that a person has not approved yet. */
export const DeviceLogin = z.object({
  userCode: z.string(),
  clientName: z.string(),
  scopes: z.array(TokenScope),
  /** The address that the request came from. Null: not known. */
  address: z.string().nullable(),
  userAgent: z.string().nullable(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** The number of days for which the token will be valid. */
  tokenDays: z.number(),
});
export type DeviceLogin = z.infer<typeof DeviceLogin>;

export const ApproveDeviceLoginBody = z
  .object({
    userCode: UserCode,
    /** Slug or id of the organization that the token is for. */
    organization: z.string().min(1).max(128),
    /** A subset of the requested scopes. Absent: all of them. */
    scopes: Scopes.optional(),
  })
  .strict();

export const DecidedDeviceLogin = z.object({ decision: z.enum(["approved", "denied"]) });
