import { z } from "zod";

/** From the least to the most: each may do what the ones before it may. */
export const ROLES = ["viewer", "developer", "admin", "owner"] as const;
export const Role = z.enum(ROLES);
export type Role = z.infer<typeof Role>;

/** An address as people write it; compared in lower case. */
export const EmailAddress = z
  .email("Give an e-mail address, like ada@example.com")
  .max(254)
  .transform((email) => email.toLowerCase());

/** Header that names the environment that a session or an access token acts on: its `id`, or `PROJECTREF/SLUG`. A WebSocket says it by `?environment=`. */
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
  /** As people call it: "Production". */
  name: z.string(),
  paused: z.boolean(),
});

/** Who is signed in, and all that they are a member of. */
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

/** Makes the person if there is none of this address; and a member, if an organization is given that they are not of yet. */
export const CreateSignInLinkBody = z
  .object({
    email: EmailAddress,
    name: z.string().min(1).max(100).optional(),
    /** Slug of an organization. */
    organization: z.string().min(1).max(128).optional(),
    role: Role.default("owner"),
    /** How long the link signs in, in seconds: at most a week. Default a day. */
    expiresIn: z.number().int().min(60).max(604_800).default(86_400),
  })
  .strict();

export const CreateSignInLinkResponse = z.object({
  /** Signs in once, in the browser that opens it. */
  url: z.string(),
  expiresAt: z.iso.datetime(),
  user: Person,
  /** Whether the person has ever signed in. */
  hasSignedIn: z.boolean(),
});
export type CreateSignInLinkResponse = z.infer<typeof CreateSignInLinkResponse>;

/** How one may sign in to this server. */
export const SignInMethods = z.object({
  /** By a link. */
  magicLink: z.boolean(),
  /** Links are mailed, printed by the server of one machine for its operator, or neither. */
  links: z.enum(["sent", "printed", "none"]),
  passkey: z.literal(true),
  github: z.boolean(),
  google: z.boolean(),
  /** The name of the OpenID Connect provider that this server is set up with. */
  oidc: z.string().nullable(),
  /** Anybody may; otherwise those who were invited. */
  open: z.boolean(),
});

export const SendTestMailBody = z.object({ email: EmailAddress }).strict();

export const SendTestMailResponse = z.object({
  /** Whether it was handed to the mail server, or printed where the server prints its mails. */
  links: z.enum(["sent", "printed"]),
});

/** Other places to sign in at, by id. */
export const SIGN_IN_PROVIDERS = ["github", "google", "oidc"] as const;

/** An account of another place that signs a person in here. */
export const LinkedAccount = z.object({
  id: z.string(),
  provider: z.enum(SIGN_IN_PROVIDERS),
  linkedAt: z.iso.datetime(),
});
export type LinkedAccount = z.infer<typeof LinkedAccount>;

export const ListLinkedAccountsResponse = z.object({ data: z.array(LinkedAccount) });

export const PasskeyObject = z.object({
  id: z.string(),
  /** What the person calls it, or what holds it: "iCloud Keychain". */
  name: z.string(),
  createdAt: z.iso.datetime().nullable(),
  lastUsedAt: z.iso.datetime().nullable(),
  /** Whether its holder keeps copies of it on the person's other devices. */
  synced: z.boolean(),
});
export type PasskeyObject = z.infer<typeof PasskeyObject>;

export const ListPasskeysResponse = z.object({ data: z.array(PasskeyObject) });

export const RenamePasskeyBody = z.object({ name: z.string().trim().min(1).max(100) }).strict();
