import { env } from "cloudflare:workers";
import type { LinkedAccount } from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { Bindings } from "../src/bindings.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { back, signInAt, someone, there } from "./at-provider.ts";
import { request } from "./configured.ts";
import { anEmail, cookieOf, ORIGIN, open, type SignedIn, signIn, signInLink } from "./person.ts";

const PATH = "/api/v1/me/linked-accounts";

const linked = async (person: SignedIn): Promise<LinkedAccount[]> => {
  const { status, body } = await person.call<{ data: LinkedAccount[] }>("GET", PATH);
  expect(status).toBe(200);
  return body.data;
};

/** Presses the link button, signs in there as `as`, and comes back. Resolves with the error in the address. */
async function link(person: SignedIn, provider: string, as = someone(anEmail())): Promise<string | null> {
  const headers = { cookie: person.cookie };
  const body = { provider, callbackURL: "/account", errorCallbackURL: "/account" };
  const begun = await request({}, "/api/auth/link-social", body, headers);
  if (!begun.ok) throw new Error(await begun.text());
  const { url } = await begun.json<{ url: string }>();
  const state = begun.headers.getSetCookie().map((each) => each.split(";")[0]);
  const cookie = [...state, person.cookie].join("; ");
  const response = await back(await there({ url: new URL(url), cookie }, as), cookie);
  expect(response.status).toBe(302);
  const location = new URL(response.headers.get("location") ?? "", ORIGIN);
  expect(location.pathname).toBe("/account");
  return location.searchParams.get("error");
}

/** The same, on a server that sends no mail. */
const unlink = (person: SignedIn, id: string, variables: Partial<Bindings> = { MAIL_URL: "no address" }) =>
  request(variables, `${PATH}/${id}`, undefined, { cookie: person.cookie }, "DELETE");

const codeOf = async (response: Response) => [
  response.status,
  (await response.json<{ code?: string }>()).code,
];

describe("linked accounts", () => {
  it.each(["github", "google", "oidc"])("of %s are linked, sign in, and are unlinked", async (provider) => {
    const person = await signIn();
    expect(await linked(person)).toEqual([]);
    const elsewhere = someone(anEmail());
    expect(await link(person, provider, elsewhere)).toBeNull();
    const [account] = await linked(person);
    expect(account).toMatchObject({ provider, linkedAt: expect.any(String) });
    // Its address at the provider differs; the account counts.
    const cookie = cookieOf(await signInAt(provider, elsewhere));
    const me = await request({}, "/api/v1/me", undefined, { cookie }, "GET");
    expect(await me.json()).toMatchObject({ user: { id: person.userId, email: person.email } });
    expect((await unlink(person, account?.id ?? "", {})).status).toBe(200);
    expect(await linked(person)).toEqual([]);
    expect((await signInAt(provider, elsewhere)).headers.getSetCookie().join()).not.toContain(
      "session_token=",
    );
  });

  it("keep no token of the provider, also when they are linked again", async () => {
    const person = await signIn();
    const elsewhere = someone(anEmail());
    await link(person, "oidc", elsewhere);
    await link(person, "oidc", elsewhere);
    const { db, tables } = openSql(env);
    const rows = await db.select().from(tables.accounts).where(eq(tables.accounts.userId, person.userId));
    expect(rows).toMatchObject([{ accessToken: null, refreshToken: null, idToken: null }]);
  });

  it("of another person are not taken over", async () => {
    const [one, two] = [await signIn(), await signIn()];
    const elsewhere = someone(anEmail());
    expect(await link(one, "oidc", elsewhere)).toBeNull();
    expect(await link(two, "oidc", elsewhere)).toBe("account_already_linked_to_different_user");
    expect(await linked(two)).toEqual([]);
  });

  it("whose address is not verified there are not linked", async () => {
    const person = await signIn();
    const email = anEmail();
    const unverified = someone(email, { emails: [{ email, primary: true, verified: false }] });
    expect(await link(person, "oidc", unverified)).toBe("unable_to_link_account");
  });

  it("are never unlinked if they are the last way to sign in", async () => {
    const person = await signIn();
    await link(person, "github");
    const [first] = await linked(person);
    expect(await codeOf(await unlink(person, first?.id ?? ""))).toEqual([409, "last_way_in"]);
    await link(person, "oidc");
    // Of two at once, one is kept.
    const ids = (await linked(person)).map(({ id }) => id);
    const answers = await Promise.all(ids.map((id) => unlink(person, id)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const [last] = await linked(person);
    // A link by mail is a way to sign in.
    expect((await unlink(person, last?.id ?? "", {})).status).toBe(200);
    expect(cookieOf(await open((await signInLink(person.email)).url))).toContain("session_token=");
  });

  it("of another person are not found", async () => {
    const [one, two] = [await signIn(), await signIn()];
    await link(one, "github");
    const [account] = await linked(one);
    expect(await codeOf(await unlink(two, account?.id ?? "", {}))).toEqual([404, "linked_account_not_found"]);
    expect(await linked(one)).toHaveLength(1);
  });

  it("need a signed-in user", async () => {
    const body = { provider: "github", callbackURL: "/account" };
    expect((await request({}, "/api/auth/link-social", body)).status).toBe(401);
  });
});
