import { env } from "cloudflare:workers";
import type { CreatedApiKey } from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { digest } from "../src/auth/tokens.ts";
import { openSql } from "../src/storage/sql-connection.ts";

import { call, newProject, type Project } from "./client.ts";

let project: Project;
let other: Project;
beforeAll(async () => {
  project = await newProject();
  other = await newProject();
});

type Key = CreatedApiKey & { code: string };
const path = (rest = "", of = project) => `/api/v1/projects/${of.ref}/prod/keys${rest}`;
const create = async (body?: object): Promise<Key> => {
  const { status, body: key } = await call<Key>("POST", path(), project.accessToken, body);
  expect(status).toBe(201);
  return key;
};
const list = async () => (await call<{ data: Key[] }>("GET", path(), project.accessToken)).body.data;
const works = async (key: string) => (await call("GET", "/api/v1/runs", key)).status === 200;
/** Isolates know a key for ten seconds. */
const untilRefused = (key: string) =>
  until(async () => !(await works(key)), { timeout: 20_000, interval: 500 });

describe("secret keys of an environment", () => {
  it("are several at once, of the form that the published client asks the server for tokens with", async () => {
    const [a, b] = [await create(), await create()];
    expect(a.key).toMatch(/^tr_prod_sk_[0-9a-zA-Z]{24}$/);
    expect([await works(a.key), await works(b.key), await works(project.prod)]).toEqual([true, true, true]);
    const listed = await list();
    expect(listed.map(({ id }) => id)).toEqual(expect.arrayContaining([a.id, b.id]));
    expect(listed).toHaveLength(3);
    expect(JSON.stringify(listed)).not.toContain(a.key);
  });

  it("are refused within ten seconds of their revocation, and other keys keep working", async () => {
    const [gone, stays] = [await create(), await create()];
    expect(await works(gone.key)).toBe(true);
    expect((await call("DELETE", path(`/${gone.id}`), project.accessToken)).status).toBe(200);
    await untilRefused(gone.key);
    expect(await works(stays.key)).toBe(true);
    expect((await list()).find(({ id }) => id === gone.id)?.revokedAt).toBeDefined();
    const again = await call("DELETE", path(`/${gone.id}`), project.accessToken);
    expect([again.status, again.body.code]).toEqual([404, "key_not_found"]);
  });

  it("are rotated with an overlap, or without one", async () => {
    const former = await create();
    const rotate = (overlapSeconds?: number, id = former.id) =>
      call<Key>("POST", path(`/${id}/rotate`), project.accessToken, { overlapSeconds });
    const next = await rotate(3_600);
    expect(next.status).toBe(201);
    expect([await works(former.key), await works(next.body.key)]).toEqual([true, true]);
    const last = await rotate(0, next.body.id);
    await untilRefused(next.body.key);
    expect(await works(last.body.key)).toBe(true);
    expect((await rotate(604_801)).status).toBe(400);
  });

  it("have a name, which their replacement has too", async () => {
    const key = await create({ name: " Web server " });
    expect(key).toMatchObject({
      name: "Web server",
      start: key.key.slice(0, 15),
      createdBy: "access token",
      lastUsedAt: null,
    });
    expect((await create()).name).toBe("default");
    const { body } = await call<Key>("POST", path(`/${key.id}/rotate`), project.accessToken, {});
    expect(body).toMatchObject({ name: "Web server", start: body.key.slice(0, 15) });
    expect((await list()).filter(({ name }) => name === "Web server")).toHaveLength(2);
    for (const name of ["", " ", "n".repeat(101), 1]) {
      expect((await call("POST", path(), project.accessToken, { name })).status).toBe(400);
    }
  });

  it("expire, if they are given a lifetime, and no overlap of a rotation outlasts it", async () => {
    const key = await create({ expiresInSeconds: 3_600 });
    expect(Date.parse(key.revokedAt ?? "") - Date.parse(key.createdAt)).toBe(3_600_000);
    expect(await works(key.key)).toBe(true);
    const rotate = async (body: object) =>
      (await call<Key>("POST", path(`/${key.id}/rotate`), project.accessToken, body)).body;
    expect((await rotate({})).revokedAt).toBeUndefined();
    expect((await list()).find(({ id }) => id === key.id)?.revokedAt).toBe(key.revokedAt);
    const next = await rotate({ expiresInSeconds: 60, overlapSeconds: 0 });
    expect(Date.parse(next.revokedAt ?? "") - Date.parse(next.createdAt)).toBe(60_000);
    const { db, tables } = openSql(env);
    await db
      .update(tables.apiKeys)
      .set({ revokedAt: Date.now() - 1 })
      .where(eq(tables.apiKeys.hash, digest(next.key)));
    expect(await works(next.key)).toBe(false);
    for (const expiresInSeconds of [0, 59, 31_536_001, 60.5, "60"]) {
      const { status } = await call("POST", path(), project.accessToken, { expiresInSeconds });
      expect([expiresInSeconds, status]).toEqual([expiresInSeconds, 400]);
    }
  });

  it("that expire get no later expiry by a rotation", async () => {
    const { id } = await create();
    const rotate = async (overlapSeconds: number) => {
      await call("POST", path(`/${id}/rotate`), project.accessToken, { overlapSeconds });
      return (await list()).find((each) => each.id === id)?.revokedAt;
    };
    const end = await rotate(600);
    expect(await rotate(3_600)).toBe(end);
    expect(Date.parse((await rotate(60)) ?? "")).toBeLessThan(Date.parse(end ?? ""));
  });

  it("are recorded as used, and not written again within the minute", async () => {
    const { id, key } = await create();
    await works(key);
    const used = async () => (await list()).find((each) => each.id === id)?.lastUsedAt;
    await until(used, { timeout: 10_000 });
    const { db, tables } = openSql(env);
    const own = eq(tables.apiKeys.hash, digest(key));
    await db.update(tables.apiKeys).set({ lastUsedAt: 1 }).where(own);
    await works(key);
    await works(key);
    expect(await used()).toBe(new Date(1).toISOString());
  });

  it("belong to their environment: another organization can neither see nor revoke them", async () => {
    const { id, key } = await create();
    expect((await call("GET", path(), other.accessToken)).status).toBe(404);
    for (const [method, rest] of [
      ["DELETE", ""],
      ["POST", "/rotate"],
    ] as const) {
      const { status, body } = await call(method, `${path("", other)}/${id}${rest}`, other.accessToken);
      expect([status, body.code]).toEqual([404, "key_not_found"]);
    }
    expect((await call("DELETE", path("/%25%25%25%25"), project.accessToken)).status).toBe(404);
    expect(await works(key)).toBe(true);
  });
});
