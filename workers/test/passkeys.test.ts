import { exports } from "cloudflare:workers";
import type { MeResponse, PasskeyObject } from "@acme/sdk/contract/api";
import { describe, expect, it } from "vitest";
import { Authenticator } from "./authenticator.ts";
import { anAddress, cookieOf, ORIGIN, type SignedIn, signIn } from "./person.ts";

interface Ceremony {
  options: { challenge: string; rp?: { id: string }; rpId?: string; allowCredentials?: unknown[] };
  cookie: string;
}

/** Makes one request of a browser with the given cookies. */
const browser = (method: string, path: string, cookie: string, body?: unknown, origin = ORIGIN) =>
  exports.default.fetch(`${ORIGIN}${path}`, {
    method,
    headers: { cookie, origin, "x-test-address": anAddress(), "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

async function begin(path: string, cookie = ""): Promise<Ceremony> {
  const response = await browser("GET", path, cookie);
  if (!response.ok) throw new Error(await response.text());
  const own = response.headers.getSetCookie().map((each) => each.split(";")[0] as string);
  return { options: await response.json(), cookie: [cookie, ...own].join("; ") };
}

const REGISTER = "/api/auth/passkey/generate-register-options";
const SIGN_IN = "/api/auth/passkey/generate-authenticate-options";

async function register(person: SignedIn, device: Authenticator, name?: string): Promise<Response> {
  const { options, cookie } = await begin(REGISTER, person.cookie);
  const body = { response: device.register(options), name };
  return browser("POST", "/api/auth/passkey/verify-registration", cookie, body);
}

async function signInWith(device: Authenticator, origin = ORIGIN): Promise<Response> {
  const { options, cookie } = await begin(SIGN_IN);
  const body = { response: device.signIn(options) };
  return browser("POST", "/api/auth/passkey/verify-authentication", cookie, body, origin);
}

const passkeysOf = async (person: SignedIn): Promise<PasskeyObject[]> =>
  (await person.call<{ data: PasskeyObject[] }>("GET", "/api/v1/me/passkeys")).body.data;

const meOf = async (cookie: string): Promise<MeResponse["user"]> =>
  ((await (await browser("GET", "/api/v1/me", cookie)).json()) as MeResponse).user;

describe("passkeys", () => {
  it("are registered by a signed-in person, and sign them in", async () => {
    const person = await signIn();
    const device = new Authenticator(ORIGIN);
    const registered = await register(person, device, "Laptop");
    expect([registered.status, await registered.json()]).toEqual([200, { status: true }]);
    expect(await passkeysOf(person)).toEqual([
      {
        id: expect.stringMatching(/^passkey_/),
        name: "Laptop",
        createdAt: expect.any(String),
        lastUsedAt: null,
        synced: false,
      },
    ]);
    const signedIn = await signInWith(device);
    // No script of a page sees the session's token.
    expect([signedIn.status, await signedIn.json()]).toEqual([200, { status: true }]);
    expect(signedIn.headers.getSetCookie().join()).toMatch(/acme\.session_token=[^,]*HttpOnly/);
    expect(await meOf(cookieOf(signedIn))).toMatchObject({ id: person.userId, email: person.email });
    expect((await passkeysOf(person))[0]?.lastUsedAt).toEqual(expect.any(String));
  });

  it("are renamed and deleted by their owner, and by nobody else", async () => {
    const [person, other] = [await signIn(), await signIn()];
    const device = new Authenticator(ORIGIN);
    await register(person, device);
    const [passkey] = await passkeysOf(person);
    expect(passkey?.name).toBe("Passkey");
    const path = `/api/v1/me/passkeys/${passkey?.id}`;
    expect((await other.call("PUT", path, { name: "Mine" })).status).toBe(404);
    expect((await other.call("DELETE", path)).status).toBe(404);
    expect((await person.call("PUT", path, { name: " " })).status).toBe(400);
    expect((await person.call("PUT", path, { name: "x".repeat(101) })).status).toBe(400);
    expect(await person.call("PUT", path, { name: "Phone" })).toMatchObject({
      status: 200,
      body: { name: "Phone" },
    });
    expect((await passkeysOf(person)).map(({ name }) => name)).toEqual(["Phone"]);
    expect((await person.call("DELETE", path)).status).toBe(200);
    expect(await passkeysOf(person)).toEqual([]);
    const refused = await signInWith(device);
    expect([refused.status, refused.headers.getSetCookie()]).toEqual([401, []]);
    expect((await person.call("DELETE", path)).body).toMatchObject({ code: "passkey_not_found" });
  });

  it("are bound to this server's host name", async () => {
    const { options } = await begin(SIGN_IN);
    expect(options.rpId).toBe("acme.test");
    // Without a session, nothing says which passkeys there are.
    expect(options.allowCredentials).toBeUndefined();
    const person = await signIn();
    await register(person, new Authenticator(ORIGIN));
    const stranger = new Authenticator("http://evil.test");
    expect((await register(person, stranger)).status).toBeGreaterThanOrEqual(400);
    expect(await passkeysOf(person)).toHaveLength(1);
  });

  it("sign in only by a signature of their own, once", async () => {
    const person = await signIn();
    const device = new Authenticator(ORIGIN);
    await register(person, device);
    const { options, cookie } = await begin(SIGN_IN);
    const verify = "/api/auth/passkey/verify-authentication";
    const forged = new Authenticator(ORIGIN);
    // A device's counter only grows, so the counter must not be what reveals the forgery.
    for (let n = 0; n < 5; n++) forged.signIn(options);
    const response = { ...forged.signIn(options), id: device.id.toString("base64url") };
    const wrong = await browser("POST", verify, cookie, { response: { ...response, rawId: response.id } });
    expect([wrong.status, wrong.headers.getSetCookie()]).toEqual([401, []]);
    const again = await begin(SIGN_IN);
    const answer = { response: device.signIn(again.options) };
    expect((await browser("POST", verify, again.cookie, answer)).status).toBe(200);
    const replayed = await browser("POST", verify, again.cookie, answer);
    expect([replayed.status, replayed.headers.getSetCookie()]).toEqual([400, []]);
  });

  it("need a device that verifies its user", async () => {
    const person = await signIn();
    const device = new Authenticator(ORIGIN);
    device.verifiesUser = false;
    const refused = await register(person, device);
    expect([refused.status, await refused.json()]).toMatchObject([400, { code: "USER_NOT_VERIFIED" }]);
    device.verifiesUser = true;
    expect((await register(person, device)).status).toBe(200);
    device.verifiesUser = false;
    const signedIn = await signInWith(device);
    expect([signedIn.status, signedIn.headers.getSetCookie()]).toEqual([400, []]);
  });

  it("are registered only in a session, with limits on their names and number", async () => {
    expect((await browser("GET", REGISTER, "")).status).toBe(401);
    const person = await signIn();
    const long = await register(person, new Authenticator(ORIGIN), "x".repeat(101));
    expect([long.status, await long.json()]).toMatchObject([400, { code: "NAME_TOO_LONG" }]);
    for (let n = 0; n < 20; n++) {
      expect((await register(person, new Authenticator(ORIGIN))).status).toBe(200);
    }
    const more = await register(person, new Authenticator(ORIGIN));
    expect([more.status, await more.json()]).toMatchObject([400, { code: "TOO_MANY_PASSKEYS" }]);
    expect(await passkeysOf(person)).toHaveLength(20);
  });

  it("can be tried a limited number of times from one address", async () => {
    const address = { "x-test-address": anAddress(), origin: ORIGIN, "content-type": "application/json" };
    const tries = await Promise.all(
      Array.from({ length: 12 }, () =>
        exports.default.fetch(`${ORIGIN}/api/auth/passkey/verify-authentication`, {
          method: "POST",
          headers: address,
          body: JSON.stringify({ response: {} }),
        }),
      ),
    );
    expect(tries.filter((each) => each.status === 429)).toHaveLength(2);
  });
});

describe("routes of better-auth that are not offered", () => {
  it("are not found", async () => {
    const person = await signIn();
    for (const path of ["get-session", "list-sessions", "passkey/list-user-passkeys", "list-accounts"]) {
      expect((await person.call("GET", `/api/auth/${path}`)).status).toBe(404);
    }
    for (const path of ["sign-up/email", "sign-in/email", "change-email", "delete-user", "update-user"]) {
      expect((await person.call("POST", `/api/auth/${path}`, {})).status).toBe(404);
    }
    const large = await person.call("POST", "/api/auth/sign-out", { x: "x".repeat(70_000) });
    expect(large.status).toBe(413);
  });
});
