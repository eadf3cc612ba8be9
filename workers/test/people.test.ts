import type { MeResponse } from "@acme/sdk/contract/api";
import { describe, expect, it } from "vitest";
import { ADMIN_TOKEN, call, newProject } from "./client.ts";
import { anAddress, anEmail, ORIGIN, open, signIn, signInLink } from "./person.ts";

describe("sign-in links", () => {
  it("sign a person in once", async () => {
    const { url } = await signInLink(anEmail());
    const response = await open(url);
    expect(response.status).toBe(302);
    expect(new URL(response.headers.get("location") ?? "", ORIGIN).pathname).toBe("/");
    const cookie = response.headers.getSetCookie().find((each) => each.includes("session_token")) ?? "";
    expect(cookie).toMatch(/^acme\.session_token=/);
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Lax/);
    const again = await open(url);
    expect(again.headers.getSetCookie()).toEqual([]);
    expect(again.headers.get("location")).toMatch(/\/sign-in\?error=INVALID_TOKEN/);
  });

  it("sign in once when they are used many times at once", async () => {
    const { url } = await signInLink(anEmail());
    const responses = await Promise.all(Array.from({ length: 8 }, () => open(url)));
    expect(responses.filter((each) => each.headers.getSetCookie().length > 0)).toHaveLength(1);
  });

  it("have a Secure cookie over https", async () => {
    const { url } = await signInLink(anEmail());
    const response = await open(url.replace("http:", "https:"));
    expect(response.headers.getSetCookie()[0]).toMatch(/^__Secure-acme\.session_token=.*Secure/);
  });

  it("can be tried a limited number of times from one address", async () => {
    const { url } = await signInLink(anEmail());
    const wrong = url.replace(/token=\w+/, "token=wrong");
    const from = { "x-test-address": anAddress() };
    const tries = await Promise.all(Array.from({ length: 12 }, () => open(wrong, from)));
    const refused = tries.filter((each) => each.status === 429);
    expect(refused).toHaveLength(2);
    for (const each of refused) {
      const seconds = each.headers.get("retry-after");
      expect(Number(seconds)).toBeGreaterThan(0);
      expect(await each.json()).toMatchObject({
        error: `Too many tries from this address. Try again in ${seconds} s.`,
        code: "too_many_tries",
      });
    }
    expect((await open(url)).headers.getSetCookie()).not.toEqual([]);
  });

  it("lead to no other site", async () => {
    const { url } = await signInLink(anEmail());
    const other = new URL(url);
    other.searchParams.set("callbackURL", "https://evil.example/");
    const response = await open(other.toString());
    expect(response.status).toBe(403);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  it("say whether the person has signed in", async () => {
    const email = anEmail();
    expect((await signInLink(email)).hasSignedIn).toBe(false);
    await signIn(email);
    expect((await signInLink(email)).hasSignedIn).toBe(true);
  });

  it("need the admin token, and an existing organization", async () => {
    const email = anEmail();
    expect((await call("POST", "/admin/v1/sign-in-links", "x", { email })).status).toBe(401);
    const unknown = await call("POST", "/admin/v1/sign-in-links", ADMIN_TOKEN, {
      email,
      organization: "nobody",
    });
    expect(unknown).toMatchObject({ status: 404, body: { code: "organization_not_found" } });
    const wrong = await call("POST", "/admin/v1/sign-in-links", ADMIN_TOKEN, { email: "ada" });
    expect(wrong).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });
});

describe("GET /api/v1/me", () => {
  it("returns the signed-in person and their memberships", async () => {
    const project = await newProject();
    const organization = project.ref.slice(5);
    const person = await signIn(anEmail(), { organization });
    const { status, body } = await person.call<MeResponse>("GET", "/api/v1/me");
    expect(status).toBe(200);
    expect(body).toEqual({
      user: { id: person.userId, email: person.email, name: person.email.split("@")[0], image: null },
      organizations: [
        {
          id: expect.stringMatching(/^org_/),
          slug: organization,
          name: organization,
          role: "owner",
          projects: [
            {
              id: expect.stringMatching(/^project_/),
              ref: project.ref,
              name: organization,
              environments: [
                expect.objectContaining({
                  slug: "dev",
                  type: "DEVELOPMENT",
                  name: "Development",
                  paused: false,
                }),
                expect.objectContaining({
                  slug: "prod",
                  type: "PRODUCTION",
                  name: "Production",
                  paused: false,
                }),
              ],
            },
          ],
        },
      ],
    });
  });

  it("is empty for a person without memberships", async () => {
    const person = await signIn();
    expect((await person.call<MeResponse>("GET", "/api/v1/me")).body.organizations).toEqual([]);
  });

  it("accepts a valid session", async () => {
    expect(await call("GET", "/api/v1/me", null)).toMatchObject({
      status: 401,
      body: { code: "not_signed_in" },
    });
    const person = await signIn();
    const forged = { cookie: `${person.cookie.slice(0, -4)}AAAA` };
    expect((await call("GET", "/api/v1/me", null, undefined, forged)).status).toBe(401);
  });

  it("ends with the sign-out", async () => {
    const person = await signIn();
    expect((await person.call("GET", "/api/v1/me")).status).toBe(200);
    expect((await person.call("POST", "/api/auth/sign-out", {})).status).toBe(200);
    expect((await person.call("GET", "/api/v1/me")).status).toBe(401);
  });

  it("can be ended only by the server's own pages", async () => {
    const person = await signIn();
    const evil = await person.call("POST", "/api/auth/sign-out", {}, { origin: "https://evil.example" });
    expect(evil.status).toBe(403);
    expect((await person.call("GET", "/api/v1/me")).status).toBe(200);
  });
});
