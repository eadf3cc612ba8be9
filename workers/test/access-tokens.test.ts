import { env } from "cloudflare:workers";
import type {
  AccessTokenObject,
  AuditEntry,
  CreatedAccessToken,
  WhoamiResponse,
} from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { createToken } from "./access-token.ts";
import { call, newProject, type Project } from "./client.ts";
import { anEmail, type SignedIn, signIn } from "./person.ts";

const OWN = "/api/v1/me/access-tokens";

let project: Project;
let organization: string;
let ada: SignedIn;
beforeAll(async () => {
  project = await newProject();
  organization = project.ref.slice(5);
  ada = await signIn(anEmail(), { organization, role: "admin" });
});

const list = async (person = ada) => (await person.call<{ data: AccessTokenObject[] }>("GET", OWN)).body.data;
const whoami = (token: string) =>
  call<WhoamiResponse & { code: string; error: string }>("GET", "/api/v1/access-token", token);
const keys = (token: string) => call("GET", `/api/v1/projects/${project.ref}/prod/keys`, token);
const variables = (token: string) => call("GET", `/api/v1/projects/${project.ref}/envvars/prod`, token);

/** Changes stored times, because a test can't wait for them. */
async function setTimes(id: string, times: { expiresAt?: number; lastUsedAt?: number }): Promise<void> {
  const { db, tables } = openSql(env);
  await db.update(tables.accessTokens).set(times).where(eq(tables.accessTokens.id, id));
}

describe("a personal access token", () => {
  it("is shown once, and identifies its person", async () => {
    const made = await createToken(ada, { organization, scopes: ["read", "deploy", "read"], name: " CI " });
    expect(made).toMatchObject({
      name: "CI",
      token: expect.stringMatching(/^tr_pat_[0-9a-zA-Z]{40}$/),
      start: made.token.slice(0, 11),
      scopes: ["read", "deploy"],
      organization: { slug: organization },
      lastUsedAt: null,
    });
    expect(Date.parse(made.expiresAt ?? "") / 86_400_000).toBeCloseTo(Date.now() / 86_400_000 + 90, 2);
    expect(JSON.stringify(await list())).not.toContain(made.token);
    const me = await whoami(made.token);
    expect(me).toMatchObject({
      status: 200,
      body: { id: made.id, user: { email: ada.email }, role: "admin", scopes: ["read", "deploy"] },
    });
  });

  it("is recorded as used, and not written again within the minute", async () => {
    const { id, token } = await createToken(ada, { organization, scopes: ["read"] });
    await whoami(token);
    const used = async () => (await list()).find((each) => each.id === id)?.lastUsedAt;
    await until(used, { timeout: 10_000 });
    await setTimes(id, { lastUsedAt: 1 });
    await whoami(token);
    await whoami(token);
    expect(await used()).toBe(new Date(1).toISOString());
  });

  it("that has expired is refused with that reason", async () => {
    const { id, token } = await createToken(ada, { organization, scopes: ["admin"], expiresInDays: 1 });
    await setTimes(id, { expiresAt: Date.now() - 1_000 });
    for (const { status, body } of [await whoami(token), await keys(token)]) {
      expect([status, body.code]).toEqual([401, "expired_access_token"]);
      expect(body.error).toContain("expired on");
    }
    expect((await list()).some((each) => each.id === id)).toBe(true);
  });

  it("does not expire if that was requested", async () => {
    const { expiresAt } = await createToken(ada, { organization, scopes: ["read"], expiresInDays: null });
    expect(expiresAt).toBeNull();
  });

  it("is refused once it was revoked, by its person only", async () => {
    const { id, token } = await createToken(ada, { organization, scopes: ["admin"] });
    expect((await keys(token)).status).toBe(200);
    const bob = await signIn(anEmail(), { organization, role: "owner" });
    expect(await bob.call("DELETE", `${OWN}/${id}`)).toMatchObject({
      status: 404,
      body: { code: "access_token_not_found" },
    });
    expect((await keys(token)).status).toBe(200);
    expect((await ada.call("DELETE", `${OWN}/${id}`)).status).toBe(200);
    expect((await list()).some((each) => each.id === id)).toBe(false);
    expect(await keys(token)).toMatchObject({ status: 401, body: { code: "invalid_access_token" } });
    expect((await ada.call("DELETE", `${OWN}/${id}`)).status).toBe(404);
  });

  it("can revoke itself, and nothing else", async () => {
    const [own, other] = [
      await createToken(ada, { organization, scopes: ["read"] }),
      await createToken(ada, { organization, scopes: ["read"] }),
    ];
    expect((await call("DELETE", "/api/v1/access-token", own.token)).status).toBe(200);
    expect((await whoami(own.token)).status).toBe(401);
    expect((await whoami(other.token)).status).toBe(200);
    expect((await call("DELETE", `${OWN}/${other.id}`, other.token)).status).toBe(401);
  });

  it("permits no more than its person's current role", async () => {
    const eve = await signIn(anEmail(), { organization, role: "admin" });
    const { token } = await createToken(eve, { organization, scopes: ["admin"] });
    expect((await variables(token)).status).toBe(200);
    const boss = await signIn(anEmail(), { organization, role: "owner" });
    const member = `/api/v1/organizations/${organization}/members/${eve.userId}`;
    expect((await boss.call("PUT", member, { role: "viewer" })).status).toBe(200);
    expect(await variables(token)).toMatchObject({ status: 403, body: { code: "role_not_allowed" } });
    expect((await boss.call("DELETE", member)).status).toBe(200);
    expect(await variables(token)).toMatchObject({ status: 404, body: { code: "environment_not_found" } });
    expect(await whoami(token)).toMatchObject({ status: 403, body: { code: "not_a_member" } });
  });

  it("belongs to one organization, even if its person is a member of others", async () => {
    const other = await newProject();
    const both = await signIn(ada.email, { organization: other.ref.slice(5), role: "owner" });
    const { token } = await createToken(both, { organization, scopes: ["admin"] });
    expect((await call("GET", `/api/v1/organizations/${organization}/members`, token)).status).toBe(200);
    for (const path of [
      `/api/v1/organizations/${other.ref.slice(5)}/members`,
      `/api/v1/projects/${other.ref}/environments`,
      `/api/v1/projects/${other.ref}/prod/keys`,
    ]) {
      expect((await call("GET", path, token)).status, path).toBe(404);
    }
    const within = { "x-acme-environment": `${other.ref}/prod` };
    expect((await call("GET", "/api/v1/runs", token, undefined, within)).status).toBe(404);
    const own = { "x-acme-environment": `${project.ref}/prod` };
    expect((await call("GET", "/api/v1/runs", token, undefined, own)).status).toBe(200);
  });

  it("is named in the audit log by what it does", async () => {
    const made = await createToken(ada, { organization, scopes: ["admin"], name: "robot" });
    const key = await call<{ id: string; createdBy: string }>(
      "POST",
      `/api/v1/projects/${project.ref}/prod/keys`,
      made.token,
    );
    const actor = `${ada.email} (access token "robot")`;
    expect(key.body.createdBy).toBe(actor);
    const { body } = await call<{ data: AuditEntry[] }>(
      "GET",
      `/api/v1/organizations/${organization}/audit?actor=${made.id}`,
      made.token,
    );
    expect(body.data).toMatchObject([
      {
        action: "key.created",
        actor: { type: "access_token", id: made.id, name: actor },
        target: { id: key.body.id },
      },
    ]);
  });

  it.each([
    ["no scopes", { scopes: [] }, 400],
    ["an unknown scope", { scopes: ["root"] }, 400],
    ["no name", { name: " " }, 400],
    ["a lifetime over a year", { expiresInDays: 366 }, 400],
    ["a long name", { name: "n".repeat(101) }, 400],
    ["another organization", { organization: "no-such" }, 404],
  ])("is not made with %s", async (_, change, status) => {
    const before = (await list()).length;
    const body = { name: "x", organization, scopes: ["read"], ...change };
    expect((await ada.call<CreatedAccessToken>("POST", OWN, body)).status).toBe(status);
    expect((await list()).length).toBe(before);
  });

  it("is one of a hundred at most", async () => {
    const person = await signIn(anEmail(), { organization, role: "viewer" });
    const { db, tables } = openSql(env);
    const [{ id: organizationId } = { id: "" }] = await db
      .select({ id: tables.organizations.id })
      .from(tables.organizations)
      .where(eq(tables.organizations.slug, organization));
    const row = (n: number) => ({
      hash: `${person.userId}-${n}`,
      id: `${person.userId}-${n}`,
      organizationId,
      userId: person.userId,
      createdAt: n,
      // One of them has expired, and does not count.
      expiresAt: n === 0 ? 1 : null,
    });
    for (let n = 0; n < 100; n++) await db.insert(tables.accessTokens).values(row(n));
    await createToken(person, { organization, scopes: ["read"] });
    const body = { name: "one more", organization, scopes: ["read"] };
    expect(await person.call("POST", OWN, body)).toMatchObject({
      status: 422,
      body: { code: "too_many_access_tokens" },
    });
  });
});

describe("an organization's own access token", () => {
  it("names its owner, and is refused where a person's role decides", async () => {
    expect(await whoami(project.accessToken)).toMatchObject({
      status: 200,
      body: {
        user: null,
        role: null,
        scopes: ["admin"],
        organization: { slug: organization },
        expiresAt: null,
      },
    });
    const within = { "x-acme-environment": `${project.ref}/prod` };
    expect((await call("GET", "/api/v1/runs", project.accessToken, undefined, within)).status).toBe(200);
    expect(
      await call("GET", `/api/v1/organizations/${organization}/members`, project.accessToken),
    ).toMatchObject({ status: 403, body: { code: "person_required" } });
  });
});
