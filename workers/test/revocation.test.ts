/**
 * Cached keys, tokens, sessions and memberships end when these are revoked; in other isolates, at most 10 s
 * later.
 */
import { env } from "cloudflare:workers";
import type { CreatedApiKey, ProjectEnvironment, Role } from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { accessTokenProof, isValidProof, keyProof, sessionProof } from "../src/auth/proof.ts";
import { digest } from "../src/auth/tokens.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { createToken } from "./access-token.ts";
import { call, newProject, type Project } from "./client.ts";
import { anEmail, type SignedIn, signIn } from "./person.ts";

let project: Project;
let organization: string;
let owner: SignedIn;
beforeAll(async () => {
  project = await newProject();
  organization = project.ref.slice(5);
  owner = await signIn(anEmail(), { organization, role: "owner" });
});
afterEach(() => {
  vi.useRealTimers();
});

const member = (role: Role = "developer") => signIn(anEmail(), { organization, role });
const newKey = async () =>
  (await owner.call<CreatedApiKey>("POST", `/api/v1/projects/${project.ref}/prod/keys`, { name: "k" })).body;
const named = () => ({ "x-acme-environment": `${project.ref}/prod` });
const bySession = async (person: SignedIn) =>
  (await person.call("GET", "/api/v1/runs", undefined, named())).status;
const byToken = async (token: string) =>
  (await call("GET", "/api/v1/runs", token, undefined, named())).status;
const byKey = async (key: string) => (await call("GET", "/api/v1/runs", key)).status;

/** Makes a change as another isolate would: this one can see it only in the database. */
async function elsewhere(change: (connection: ReturnType<typeof openSql>) => PromiseLike<unknown>) {
  await change(openSql(env));
}

/** Checks that it is accepted while this isolate caches it, for 10 s at most, and refused then. */
async function endsWithin10s(ask: () => Promise<number>, end: () => Promise<unknown>, refusal: number) {
  expect(await ask()).toBe(200);
  const cachedAt = Date.now();
  await end();
  vi.useFakeTimers({ toFake: ["Date"], now: cachedAt + 10_001 });
  expect(await ask()).toBe(refusal);
}

describe("within 10 s, another isolate refuses", () => {
  it("a key that was revoked", async () => {
    const { key } = await newKey();
    await endsWithin10s(
      () => byKey(key),
      () =>
        elsewhere(({ db, tables: { apiKeys } }) =>
          db
            .update(apiKeys)
            .set({ revokedAt: 1 })
            .where(eq(apiKeys.hash, digest(key))),
        ),
      401,
    );
  });

  it("an access token that was revoked", async () => {
    const { token } = await createToken(await member(), { organization, scopes: ["read"] });
    await endsWithin10s(
      () => byToken(token),
      () =>
        elsewhere(({ db, tables: { accessTokens } }) =>
          db.delete(accessTokens).where(eq(accessTokens.hash, digest(token))),
        ),
      401,
    );
  });

  it("a session that was revoked", async () => {
    const person = await member();
    await endsWithin10s(
      () => bySession(person),
      () =>
        elsewhere(({ db, tables: { sessions } }) =>
          db.delete(sessions).where(eq(sessions.userId, person.userId)),
        ),
      401,
    );
  });

  it.each([
    ["a member who was removed, by session", false],
    ["a member who was removed, by access token", true],
  ])("%s", async (_, isToken) => {
    const person = await member();
    const { token } = await createToken(person, { organization, scopes: ["read"] });
    await endsWithin10s(
      () => (isToken ? byToken(token) : bySession(person)),
      () => elsewhere((connection) => removed(connection, person)),
      404,
    );
  });
});

const removed = ({ db, tables: { members } }: ReturnType<typeof openSql>, { userId }: SignedIn) =>
  db.delete(members).where(eq(members.userId, userId));

describe("an open connection is valid", () => {
  const environment = async () => {
    const { body } = await owner.call<{ data: ProjectEnvironment[] }>(
      "GET",
      `/api/v1/projects/${project.ref}/environments`,
    );
    const found = body.data.find(({ slug }) => slug === "prod");
    if (!found) throw new Error("No prod");
    return found;
  };
  const isValid = async (
    proof: string,
    operation: "listRuns" | "createTunnelTicket" = "createTunnelTicket",
  ) => isValidProof(env, proof, await environment(), operation);

  it("until its key is revoked, however lately the key was used", async () => {
    const { key } = await newKey();
    expect([await byKey(key), await isValid(keyProof(key))]).toEqual([200, true]);
    await elsewhere(({ db, tables: { apiKeys } }) =>
      db
        .update(apiKeys)
        .set({ revokedAt: 1 })
        .where(eq(apiKeys.hash, digest(key))),
    );
    expect(await isValid(keyProof(key))).toBe(false);
  });

  it("until its person lacks the permission, or is no longer a member", async () => {
    const person = await member();
    const { token } = await createToken(person, { organization, scopes: ["read", "write"] });
    const { db, tables } = openSql(env);
    const [session] = await db
      .select({ id: tables.sessions.id })
      .from(tables.sessions)
      .where(eq(tables.sessions.userId, person.userId));
    const proofs = [
      accessTokenProof(token),
      sessionProof({ id: session?.id ?? "", user: { id: person.userId } }),
    ];
    expect([await byToken(token), await bySession(person)]).toEqual([200, 200]);
    const valid = (operation: "listRuns" | "createTunnelTicket") =>
      Promise.all(proofs.map((proof) => isValid(proof, operation)));
    expect(await valid("createTunnelTicket")).toEqual([true, true]);
    await elsewhere(({ db, tables: { members } }) =>
      db.update(members).set({ role: "viewer" }).where(eq(members.userId, person.userId)),
    );
    expect(await valid("createTunnelTicket")).toEqual([false, false]);
    expect(await valid("listRuns")).toEqual([true, true]);
    await elsewhere((connection) => removed(connection, person));
    expect(await valid("listRuns")).toEqual([false, false]);
  });

  it("until its access token has ended, or lacks a scope", async () => {
    const person = await member();
    const reads = await createToken(person, { organization, scopes: ["read"] });
    expect(await isValid(accessTokenProof(reads.token))).toBe(false);
    expect(await isValid(accessTokenProof(reads.token), "listRuns")).toBe(true);
    await person.call("DELETE", `/api/v1/me/access-tokens/${reads.id}`);
    expect(await isValid(accessTokenProof(reads.token), "listRuns")).toBe(false);
  });
});
