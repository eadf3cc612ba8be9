import { env } from "cloudflare:workers";
import type { SignInMethods } from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import type { Bindings } from "../src/bindings.ts";
import { answeredWithin } from "../src/people/handle-auth.ts";
import { openSql, type SqlConnection } from "../src/storage/sql-connection.ts";
import { request } from "./configured.ts";
import { outside } from "./outside.ts";
import { anEmail, cookieOf, ORIGIN } from "./person.ts";

const OFF = {
  GITHUB_CLIENT_ID: undefined,
  GOOGLE_CLIENT_SECRET: undefined,
  OIDC_ISSUER: undefined,
};

const tokensOf = ({ accessToken, refreshToken, idToken }: SqlConnection["tables"]["accounts"]) => ({
  accessToken,
  refreshToken,
  idToken,
});

/** Signs in at the issuer, as somebody with this address, which the issuer does not call verified. */
async function signInAtIssuer(email: string, variables: Partial<Bindings>): Promise<Response> {
  const body = { provider: "oidc", callbackURL: "/", errorCallbackURL: "/sign-in" };
  const started = await request(variables, "/api/auth/sign-in/social", body);
  const url = new URL((await started.json<{ url: string }>()).url);
  const emails = [{ email, primary: true, verified: false }];
  url.searchParams.set("as", JSON.stringify({ id: Date.now(), name: "Ada", emails }));
  const there = await fetch(url, { redirect: "manual" });
  const back = new URL(there.headers.get("location") ?? "");
  const cookie = started.headers.getSetCookie().map((each) => each.split(";")[0]);
  const path = `${back.pathname}${back.search}`;
  return request(variables, path, undefined, { cookie: cookie.join("; ") }, "GET");
}

describe("an OpenID Connect issuer", () => {
  it("may be trusted with addresses that it does not mark as verified", async () => {
    const open = { SIGN_UP: "open" };
    const doubted = await signInAtIssuer(anEmail(), open);
    expect(doubted.headers.get("location")).toMatch(/\/sign-in\?error=email_not_verified/);
    const trusted = await signInAtIssuer(anEmail(), { ...open, OIDC_TRUST_EMAIL: "true" });
    expect(cookieOf(trusted)).toMatch(/session_token=./);
  });

  it("is not called later: its tokens are not kept", async () => {
    const email = anEmail();
    const trusting = { SIGN_UP: "open", OIDC_TRUST_EMAIL: "true" };
    for (let n = 0; n < 2; n++) expect((await signInAtIssuer(email, trusting)).status).toBe(302);
    const { db, tables } = openSql(env);
    const { accounts, users } = tables;
    const rows = await db
      .select({ provider: accounts.providerId, ...tokensOf(accounts) })
      .from(accounts)
      .innerJoin(users, eq(users.id, accounts.userId))
      .where(eq(users.email, email));
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      expect(row).toEqual({ provider: "oidc", accessToken: null, refreshToken: null, idToken: null });
    }
  });

  it("that is not set up gives a clear error", async () => {
    for (const provider of ["github", "nothing"]) {
      const response = await request(OFF, "/api/auth/sign-in/social", { provider, callbackURL: "/" });
      const { error, code } = await response.json<{ error: string; code: string }>();
      expect([response.status, code]).toEqual([404, "provider_not_set_up"]);
      expect(error).toContain(provider);
    }
  });

  it("that can't be reached, or is not an issuer, gives a clear error", async () => {
    for (const issuer of ["http://127.0.0.1:1", `${outside.providers}/nothing`]) {
      const body = { provider: "oidc", callbackURL: "/", errorCallbackURL: "/sign-in" };
      const response = await request({ OIDC_ISSUER: issuer }, "/api/auth/sign-in/social", body);
      expect([response.status, await response.json()]).toMatchObject([502, { code: "provider_unreachable" }]);
      const path = "/api/auth/callback/oidc?code=x&state=y";
      const back = await request({ OIDC_ISSUER: issuer }, path, undefined, {}, "GET");
      expect(back.headers.get("location")).toMatch(/^http:\/\/acme\.test\/sign-in\?error=\w+$/);
    }
  });
});

describe("a provider that does not answer", () => {
  it("is not waited for any longer than the deadline", async () => {
    expect(await answeredWithin(new Promise(() => {}), 20)).toBeNull();
    expect(await answeredWithin(Promise.reject(new Error("reset")), 1_000)).toBeNull();
    expect((await answeredWithin(Promise.resolve(new Response("x")), 1_000))?.status).toBe(200);
  });
});

describe("GET /api/v1/sign-in-methods", () => {
  const methods = async (variables: Partial<Bindings>): Promise<z.output<typeof SignInMethods>> =>
    (await request(variables, "/api/v1/sign-in-methods", undefined, {}, "GET")).json();

  it("lists this server's sign-in methods", async () => {
    expect(await methods(OFF)).toEqual({
      magicLink: true,
      links: "printed",
      passkey: true,
      github: false,
      google: false,
      oidc: null,
      open: false,
    });
    expect(await methods({ SIGN_UP: "open", BLOBS: undefined })).toMatchObject({
      magicLink: false,
      links: "none",
      github: true,
      google: true,
      oidc: "Okta",
      open: true,
    });
    const mail = { MAIL_URL: "smtp://mail.test", MAIL_FROM: "a@b.test", PUBLIC_URL: ORIGIN };
    expect(await methods({ ...mail, GITHUB_CLIENT_SECRET: undefined })).toMatchObject({
      links: "sent",
      github: false,
    });
  });

  it("offers no route of a provider without credentials", async () => {
    for (const provider of ["github", "google", "oidc", "facebook"]) {
      const body = { provider, callbackURL: "/" };
      expect((await request(OFF, "/api/auth/sign-in/social", body)).status).toBeGreaterThanOrEqual(400);
    }
  });
});
