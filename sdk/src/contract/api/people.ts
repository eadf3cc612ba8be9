import { z } from "zod";
import { ROLES } from "../roles.ts";

export const Role = z.enum(ROLES);
export type Role = z.infer<typeof Role>;

/** An e-mail address as people write it. Addresses are compared in lower case. */
export const EmailAddress = z
  .email("Give an e-mail address, like ada@example.com")
  .max(254)
  .transform((email) => email.toLowerCase());

/**
 * Header that names the environment that a session or an access token acts on: its `id`, or
 * `PROJECTREF/SLUG`. A WebSocket names it with `?environment=`.
 */
export const ENVIRONMENT_HEADER = "x-acme-environment";

export const Person = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  image: z.string().nullable(),
});
export type Person = z.infer<typeof Person>;

export const EnvironmentOfMe = z.object({
  id: z.string(),
  /** Name of the environment's object, and the start of its runs' ids. */
  key: z.string(),
  slug: z.string(),
  type: z.enum(["DEVELOPMENT", "STAGING", "PREVIEW", "PRODUCTION"]),
  /** The display name: "Production". */
  name: z.string(),
  paused: z.boolean(),
});

/** The person who is signed in, with all of their memberships. */
export const MeResponse = z.object({
  user: Person,
  organizations: z.array(
    z.object({
      id: z.string(),
      slug: z.string(),
      name: z.string(),
      role: Role,
      projects: z.array(
        z.object({
          id: z.string(),
          ref: z.string(),
          name: z.string(),
          environments: z.array(EnvironmentOfMe),
        }),
      ),
    }),
  ),
});
export type MeResponse = z.infer<typeof MeResponse>;

/**
 * Creates the person if nobody has this address, and makes them a member of the organization if one is given.
 */
export const CreateSignInLinkBody = z
  .object({
    email: EmailAddress,
    name: z.string().min(1).max(100).optional(),
    /** Slug of an organization. */
    organization: z.string().min(1).max(128).optional(),
    role: Role.default("owner"),
    /** How long the link is valid, in seconds: at most a week. Default: a day. */
    expiresIn: z.number().int().min(60).max(604_800).default(86_400),
  })
  .strict();

export const CreateSignInLinkResponse = z.object({
  /** The link signs in once, in the browser that opens it. */
  url: z.string(),
  expiresAt: z.iso.datetime(),
  user: Person,
  /** Whether the person has ever signed in. */
  hasSignedIn: z.boolean(),
});
export type CreateSignInLinkResponse = z.infer<typeof CreateSignInLinkResponse>;

/** The ways to sign in to this server. */
export const SignInMethods = z.object({
  /** Sign-in by a link. */
  magicLink: z.boolean(),
  /** Links are mailed, printed by the server of one machine for its operator, or neither. */
  links: z.enum(["sent", "printed", "none"]),
  passkey: z.literal(true),
  github: z.boolean(),
  google: z.boolean(),
  /** The name of the OpenID Connect provider that this server is set up with. */
  oidc: z.string().nullable(),
  /** True: anybody may sign up. False: only people who were invited. */
  open: z.boolean(),
});

export const SendTestMailBody = z.object({ email: EmailAddress }).strict();

export const SendTestMailResponse = z.object({
  /** Whether the mail was handed to the mail server, or printed if this server prints its mails. */
  links: z.enum(["sent", "printed"]),
});

/** Ids of the other identity providers that can sign people in. */
export const SIGN_IN_PROVIDERS = ["github", "google", "oidc"] as const;

/** An account at another identity provider that signs a person in here. */
export const LinkedAccount = z.object({
  id: z.string(),
  provider: z.enum(SIGN_IN_PROVIDERS),
  linkedAt: z.iso.datetime(),
});
export type LinkedAccount = z.infer<typeof LinkedAccount>;

export const ListLinkedAccountsResponse = z.object({ data: z.array(LinkedAccount) });

export const PasskeyObject = z.object({
  id: z.string(),
  /** The name that the person gave it, or the name of its authenticator: "iCloud Keychain". */
  name: z.string(),
  createdAt: z.iso.datetime().nullable(),
  lastUsedAt: z.iso.datetime().nullable(),
  /** Whether the authenticator syncs it to the person's other devices. */
  synced: z.boolean(),
});
export type PasskeyObject = z.infer<typeof PasskeyObject>;

export const ListPasskeysResponse = z.object({ data: z.array(PasskeyObject) });

export const RenamePasskeyBody = z.object({ name: z.string().trim().min(1).max(100) }).strict();
