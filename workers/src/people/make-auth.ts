import { newId } from "@acme/sdk/contract";
import { drizzleAdapter } from "@better-auth/drizzle-adapter";
import { APIError } from "better-auth/api";
import { betterAuth } from "better-auth/minimal";
import { magicLink } from "better-auth/plugins/magic-link";
import type { Bindings } from "../bindings.ts";
import { limiterOf } from "../http/limiter.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { passkeyPlugin } from "./passkeys.ts";
import { cookieSecret } from "./session-cookie.ts";
import { maySignUp } from "./sign-up.ts";

/** Header in which better-auth finds the client's address: the Worker sets it, whatever the client sent. */
export const ADDRESS_HEADER = "x-acme-client-address";

export const SESSION_SECONDS = 30 * 24 * 3600;
/** How long a link that was mailed signs in. */
const LINK_SECONDS = 15 * 60;

/** Of one address. Each request for options writes a row. */
const PASSKEY_LIMITS = {
  "/passkey/generate-authenticate-options": { window: 60, max: 30 },
  "/passkey/verify-authentication": { window: 60, max: 10 },
};

const PREFIXES: Record<string, string> = {
  user: "user",
  session: "session",
  account: "account",
  verification: "verification",
  passkey: "passkey",
};

export interface AuthOptions {
  /** Where the caller reaches this server: `https://acme.example`. */
  origin: string;
  /** The value of the session cookie that the request came with. */
  cookie?: string;
  /** Brings a sign-in link to a person. Default: links are refused. */
  sendLink?: (link: { email: string; url: string }) => Promise<void>;
  /** How long the link signs in. Default 15 minutes. */
  linkSeconds?: number;
}

/**
 * better-auth for one request: never kept, as an instance whose first request is aborted hangs for all that follow
 * (better-auth #10315), and what it opens belongs to a request.
 */
export function makeAuth(env: Bindings, connection: SqlConnection, options: AuthOptions) {
  const { provider, db, tables } = connection;
  return betterAuth({
    appName: "Acme",
    baseURL: options.origin,
    basePath: "/api/auth",
    trustedOrigins: [options.origin],
    secret: cookieSecret(env, options.cookie),
    telemetry: { enabled: false },
    logger: { level: "error" },
    database: drizzleAdapter(db, {
      provider,
      schema: {
        user: tables.users,
        session: tables.sessions,
        account: tables.accounts,
        verification: tables.verifications,
        passkey: tables.passkeys,
      },
      // D1 has none, and a SQLite object's can't span calls: what a crash leaves there is harmless, see the tests.
      transaction: provider === "pg",
    }),
    emailAndPassword: { enabled: false },
    socialProviders: socialProviders(env),
    session: { expiresIn: SESSION_SECONDS, updateAge: 24 * 3600, cookieCache: { enabled: false } },
    rateLimit: {
      enabled: true,
      window: 60,
      max: 120,
      customRules: PASSKEY_LIMITS,
      customStorage: { consume: signInCounter(env) },
    },
    advanced: {
      cookiePrefix: "acme",
      useSecureCookies: options.origin.startsWith("https:"),
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER] },
      database: { generateId: ({ model }) => newId(PREFIXES[model] ?? model) },
    },
    databaseHooks: {
      user: {
        create: {
          before: async ({ email }) => {
            if (await maySignUp(env, connection, email)) return;
            throw new APIError("FORBIDDEN", {
              code: "sign_up_closed",
              message: `Nobody has invited ${email} to this server. Ask an administrator of your organization for an invitation.`,
            });
          },
        },
      },
    },
    plugins: [
      passkeyPlugin(connection, options.origin),
      magicLink({
        expiresIn: options.linkSeconds ?? LINK_SECONDS,
        storeToken: "hashed",
        rateLimit: { window: 60, max: 10 },
        sendMagicLink: async ({ email, url }) => {
          if (!options.sendLink) throw new APIError("FORBIDDEN", { message: "Links are not sent here." });
          await options.sendLink({ email: email.toLowerCase(), url });
        },
      }),
    ],
  });
}

/** Other places to sign in at: each is off without its credentials. */
export function socialProviders(env: Bindings) {
  const { GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET } = env;
  return {
    ...(GITHUB_CLIENT_ID && GITHUB_CLIENT_SECRET
      ? { github: { clientId: GITHUB_CLIENT_ID, clientSecret: GITHUB_CLIENT_SECRET } }
      : {}),
    ...(GOOGLE_CLIENT_ID && GOOGLE_CLIENT_SECRET
      ? { google: { clientId: GOOGLE_CLIENT_ID, clientSecret: GOOGLE_CLIENT_SECRET } }
      : {}),
  };
}

/** Counts in the limiter's objects: in memory, so that counting writes nothing. */
function signInCounter(env: Bindings) {
  return async (key: string, rule: { window: number; max: number }) => {
    const limiter = limiterOf(env, `sign-in:${key}`);
    const taken = await limiter.take(1, { burst: rule.max, perSecond: rule.max / rule.window });
    const retryAfter = taken.granted > 0 ? null : Math.ceil(taken.retryAfterMs / 1000);
    return { allowed: taken.granted > 0, retryAfter };
  };
}
