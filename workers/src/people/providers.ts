import type { GenericOAuthConfig } from "better-auth/plugins/generic-oauth";
import { z } from "zod";

/** The Worker's variables for other identity providers. */
export interface ProviderVariables {
  GITHUB_CLIENT_ID?: string;
  GITHUB_CLIENT_SECRET?: string;
  GITHUB_URL?: string;
  GOOGLE_CLIENT_ID?: string;
  GOOGLE_CLIENT_SECRET?: string;
  GOOGLE_ISSUER?: string;
  OIDC_ISSUER?: string;
  OIDC_CLIENT_ID?: string;
  OIDC_CLIENT_SECRET?: string;
  OIDC_NAME?: string;
  OIDC_TRUST_EMAIL?: string;
}

const GITHUB = "https://github.com";
const GOOGLE = "https://accounts.google.com";

/**
 * Other identity providers by id; each is off without its credentials. All use OAuth 2 with PKCE and a state.
 */
export function providersOf(env: ProviderVariables): GenericOAuthConfig[] {
  const configs: GenericOAuthConfig[] = [];
  if (env.GITHUB_CLIENT_ID && env.GITHUB_CLIENT_SECRET) {
    configs.push(github(env.GITHUB_CLIENT_ID, env.GITHUB_CLIENT_SECRET, env.GITHUB_URL || GITHUB));
  }
  if (env.GOOGLE_CLIENT_ID && env.GOOGLE_CLIENT_SECRET) {
    configs.push({
      ...openId("google", env.GOOGLE_ISSUER || GOOGLE, env.GOOGLE_CLIENT_ID, env.GOOGLE_CLIENT_SECRET),
      name: "Google",
      prompt: "select_account",
    });
  }
  if (env.OIDC_ISSUER && env.OIDC_CLIENT_ID && env.OIDC_CLIENT_SECRET) {
    configs.push({
      ...openId("oidc", env.OIDC_ISSUER, env.OIDC_CLIENT_ID, env.OIDC_CLIENT_SECRET),
      name: (env.OIDC_NAME || "Single sign-on").slice(0, 60),
      // Some issuers return only verified addresses, but do not say so.
      ...(env.OIDC_TRUST_EMAIL === "true" ? { mapProfileToUser: () => ({ emailVerified: true }) } : {}),
    });
  }
  return configs;
}

/** An OpenID Connect issuer, which publishes its endpoints and signs its claims about a person. */
const openId = (
  providerId: string,
  issuer: string,
  clientId: string,
  clientSecret: string,
): GenericOAuthConfig => ({
  providerId,
  clientId,
  clientSecret,
  discoveryUrl: `${withoutSlash(issuer)}/.well-known/openid-configuration`,
  scopes: ["openid", "email", "profile"],
  requireIdTokenVerification: true,
});

/** GitHub, or a GitHub Enterprise Server, which has its API under its own address. */
function github(clientId: string, clientSecret: string, url: string): GenericOAuthConfig {
  const base = withoutSlash(url);
  const api = base === GITHUB ? "https://api.github.com" : `${base}/api/v3`;
  return {
    providerId: "github",
    name: "GitHub",
    clientId,
    clientSecret,
    authorizationUrl: `${base}/login/oauth/authorize`,
    tokenUrl: `${base}/login/oauth/access_token`,
    scopes: ["read:user", "user:email"],
    getUserInfo: async ({ accessToken }) => {
      const [user, emails] = await Promise.all([
        ask(`${api}/user`, accessToken, GithubUser),
        ask(`${api}/user/emails`, accessToken, GithubEmails),
      ]);
      if (!user || !emails) return null;
      // The profile's address can be anything; the person reads mail at the primary one.
      const primary = emails.find((each) => each.primary);
      return {
        id: String(user.id),
        name: user.name || user.login,
        email: primary?.email ?? null,
        emailVerified: primary?.verified ?? false,
        image: user.avatar_url ?? undefined,
      };
    },
  };
}

const GithubUser = z.object({
  id: z.number(),
  login: z.string(),
  name: z.string().nullish(),
  avatar_url: z.string().nullish(),
});
const GithubEmails = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));

async function ask<T extends z.ZodType>(
  url: string,
  token: string | undefined,
  schema: T,
): Promise<z.output<T> | null> {
  const response = await fetch(url, {
    headers: {
      authorization: `Bearer ${token ?? ""}`,
      accept: "application/vnd.github+json",
      "user-agent": "acme",
    },
    redirect: "manual",
  });
  if (!response.ok) return null;
  const parsed = schema.safeParse(await response.json());
  return parsed.success ? parsed.data : null;
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, "");
