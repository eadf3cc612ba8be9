import type { MeResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { back, browser, signInAt, someone, start, there } from "./at-provider.ts";
import { anEmail, cookieOf, ORIGIN, type SignedIn, signIn, signInLink } from "./person.ts";

const PROVIDERS = ["github", "google", "oidc"];

let owner: SignedIn;
let invitations: string;
beforeAll(async () => {
  owner = await signIn();
  const made = await owner.call<{ slug: string }>("POST", "/api/v1/organizations", { name: "Roads" });
  invitations = `/api/v1/organizations/${made.body.slug}/invitations`;
});

/** An address that may sign up. */
async function invited(): Promise<string> {
  const email = anEmail();
  const { status } = await owner.call("POST", invitations, { email, role: "viewer" });
  expect(status).toBe(201);
  return email;
}

/** Returns the code with which the sign-in page explains a failure. Checks that nobody is signed in. */
function problemOf(response: Response): string | null {
  expect(response.status).toBe(302);
  expect(response.headers.getSetCookie().filter((each) => /session_token=[^;]/.test(each))).toEqual([]);
  const location = new URL(response.headers.get("location") ?? "", ORIGIN);
  expect([location.origin, location.pathname]).toEqual([ORIGIN, "/sign-in"]);
  return location.searchParams.get("error");
}

async function userOf(response: Response): Promise<MeResponse["user"]> {
  expect(new URL(response.headers.get("location") ?? "", ORIGIN).href).toBe(`${ORIGIN}/`);
  const me = await browser("GET", "/api/v1/me", { cookie: cookieOf(response) });
  return (await me.json<MeResponse>()).user;
}

describe.each(PROVIDERS)("sign-in at %s", (provider) => {
  it("creates a person, and finds them again", async () => {
    const email = await invited();
    const person = someone(email);
    const user = await userOf(await signInAt(provider, person));
    expect(user).toMatchObject({ email, name: "Ada" });
    // Their id at the provider identifies them, even if the address has changed.
    const moved = { ...person, emails: [{ email: anEmail(), primary: true, verified: true }] };
    expect(await userOf(await signInAt(provider, moved))).toEqual(user);
  });

  it("signs in the person with the same address, if both sides have verified it", async () => {
    const known = await signIn();
    const user = await userOf(await signInAt(provider, someone(known.email.toUpperCase())));
    expect(user.id).toBe(known.userId);
  });

  it("refuses an address that the provider has not verified", async () => {
    const known = await signIn();
    const emails = [{ email: known.email, primary: true, verified: false }];
    expect(problemOf(await signInAt(provider, someone("", { emails })))).toBe("account_not_linked");
    const email = await invited();
    const person = someone("", { emails: [{ email, primary: true, verified: false }] });
    expect(problemOf(await signInAt(provider, person))).toBe("email_not_verified");
    // It left nothing behind that would sign that somebody in later.
    await signIn(email);
    expect(problemOf(await signInAt(provider, person))).toBe("account_not_linked");
  });

  it("refuses the address of a person who has never verified it here", async () => {
    const email = anEmail();
    await signInLink(email);
    expect(problemOf(await signInAt(provider, someone(email)))).toBe("account_not_linked");
  });

  it("needs an address", async () => {
    const problem = problemOf(await signInAt(provider, someone("", { emails: [] })));
    expect(problem).toBe(provider === "github" ? "email_not_found" : "unable_to_get_user_info");
  });

  it("needs an invitation", async () => {
    expect(problemOf(await signInAt(provider, someone(anEmail())))).toBe("sign_up_closed");
    const email = await invited();
    expect((await userOf(await signInAt(provider, someone(email)))).email).toBe(email);
  });

  it("says that the person denied it", async () => {
    expect(problemOf(await signInAt(provider, someone(anEmail(), { denies: true })))).toBe("access_denied");
  });

  it("completes only in the browser that began it, once", async () => {
    const started = await start(provider);
    const url = await there(started, someone(await invited()));
    expect(problemOf(await back(url, ""))).toBe("state_mismatch");
    const other = new URL(url);
    other.searchParams.set("state", "made-up");
    expect(problemOf(await back(other, started.cookie))).toBe("state_mismatch");
    other.searchParams.delete("state");
    expect(problemOf(await back(other, started.cookie))).toBe("state_not_found");
    await userOf(await back(url, started.cookie));
    expect(problemOf(await back(url, started.cookie))).toBe("state_mismatch");
  });

  it("says that the provider fails", async () => {
    const problem = problemOf(await signInAt(provider, someone(anEmail(), { fails: 500 })));
    expect(problem).toMatch(/^(invalid_code|oauth_provider_error|unable_to_get_user_info)$/);
  });

  it("redirects to no other site", async () => {
    const body = { provider, callbackURL: "https://evil.example/", errorCallbackURL: "/sign-in" };
    expect((await browser("POST", "/api/auth/sign-in/social", { body })).status).toBe(403);
  });
});

describe("an OpenID Connect issuer", () => {
  it.each(["unsigned", "nonce", "audience", "issuer", "expired"] as const)(
    "is not believed a token with a wrong one: %s",
    async (token) => {
      expect(problemOf(await signInAt("oidc", someone(await invited(), { token })))).toBe(
        "unable_to_get_user_info",
      );
    },
  );
});
