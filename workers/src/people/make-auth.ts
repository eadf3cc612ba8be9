import { newId } from "@acme/sdk/contract";
import { drizzleAdapter } from "@better-auth/drizzle-adapter";
import { APIError } from "better-auth/api";
import { betterAuth } from "better-auth/minimal";
import { genericOAuth } from "better-auth/plugins/generic-oauth";
import { magicLink } from "better-auth/plugins/magic-link";
import type { Bindings } from "../bindings.ts";
import { limiterOf } from "../http/limiter.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { passkeyPlugin } from "./passkeys.ts";
import { providersOf } from "./providers.ts";
import { cookieSecret } from "./session-cookie.ts";
import { maySignUp } from "./sign-up.ts";

/** Header from which better-auth reads the client's address. The Worker always overwrites it. */
export const ADDRESS_HEADER = "x-acme-client-address";

export const SESSION_SECONDS = 30 * 24 * 3600;
/** How long a mailed link is valid. */
const LINK_SECONDS = 15 * 60;

/** Limit per address, because each request for options writes a row. */
const PASSKEY_LIMITS = {
  "/passkey/generate-authenticate-options": { window: 60, max: 30 },
  "/passkey/verify-authentication": { window: 60, max: 10 },
};

/** The parts of a provider's tokens that are stored. */
const NO_TOKENS = { accessToken: null, refreshToken: null, idToken: null };

const PREFIXES: Record<string, string> = {
  user: "user",
  session: "session",
  account: "account",
  verification: "verification",
  passkey: "passkey",
};

export interface AuthOptions {
  /** The origin at which the caller reaches this server: `https://acme.example`. */
  origin: string;
  /** The value of the session cookie that the request came with. */
  cookie?: string;
  /** Sends a sign-in link to a person. Default: links are refused. */
  sendLink?: (link: { email: string; url: string }) => Promise<void>;
  /** Whether the request concerns another identity provider, whose endpoints may have to be discovered. */
  atProvider?: boolean;
  /** How long the link is valid. Default 15 minutes. */
  linkSeconds?: number;
}

/**
 * Creates better-auth for one request. The instance is not reused: if its first request is aborted, it hangs
 * for all later ones (better-auth #10315), and its connections belong to a request.
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
      // D1 has no transactions, those of a SQLite object can't span calls, and on Postgres the check below
      // would wait for the connection that the transaction holds. The state after a crash between two writes
      // is harmless, see the tests.
      transaction: false,
    }),
    emailAndPassword: { enabled: false },
    account: {
      // Accounts are linked by address if both sides have verified it, which is better-auth's default. A
      // signed-in person may link an account that has another address.
      accountLinking: {
        enabled: true,
        trustedProviders: [],
        requireLocalEmailVerified: true,
        allowDifferentEmails: true,
      },
      updateAccountOnSignIn: false,
    },
    onAPIError: { errorURL: `${options.origin}/sign-in` },
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
          before: async ({ email, emailVerified }) => {
            // Otherwise anybody could enter another person's address at a provider and be that person here.
            if (!emailVerified) {
              throw new APIError("FORBIDDEN", {
                code: "email_not_verified",
                message: `${email} is not confirmed at the provider that you signed in with.`,
              });
            }
            if (await maySignUp(env, connection, email)) return;
            throw new APIError("FORBIDDEN", {
              code: "sign_up_closed",
              message: `Nobody has invited ${email} to this server. Ask an administrator of your organization for an invitation.`,
            });
          },
        },
      },
      account: {
        create: {
          // A provider is not called after a sign-in, so its tokens are not stored.
          before: async (account) => ({ data: { ...account, ...NO_TOKENS } }),
        },
        update: {
          before: async (account) => ({ data: { ...account, ...NO_TOKENS } }),
        },
      },
    },
    plugins: [
      ...(options.atProvider ? [genericOAuth({ config: providersOf(env) })] : []),
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

/** Counts in the limiter objects, which keep their state in memory, so counting writes nothing. */
function signInCounter(env: Bindings) {
  return async (key: string, rule: { window: number; max: number }) => {
    const limiter = limiterOf(env, `sign-in:${key}`);
    const taken = await limiter.take(1, { burst: rule.max, perSecond: rule.max / rule.window });
    const retryAfter = taken.granted > 0 ? null : Math.ceil(taken.retryAfterMs / 1000);
    return { allowed: taken.granted > 0, retryAfter };
  };
}
