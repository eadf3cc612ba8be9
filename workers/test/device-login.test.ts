import { env } from "cloudflare:workers";
import type {
  CreatedAccessToken,
  DeviceLogin,
  StartDeviceLoginResponse,
  WhoamiResponse,
} from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { digest } from "../src/auth/tokens.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { call, newProject } from "./client.ts";
import { anAddress, anEmail, type SignedIn, signIn } from "./person.ts";

let organization: string;
let ada: SignedIn;
beforeAll(async () => {
  organization = (await newProject()).ref.slice(5);
  ada = await signIn(anEmail(), { organization, role: "developer" });
});

const start = async (body: object = {}): Promise<StartDeviceLoginResponse> => {
  const headers = { "x-test-address": anAddress(), "user-agent": "acme/1" };
  const begun = await call<StartDeviceLoginResponse>("POST", "/api/v1/device/code", null, body, headers);
  expect(begun.status).toBe(200);
  return begun.body;
};
const poll = (deviceCode: string) =>
  call<CreatedAccessToken & { code: string }>("POST", "/api/v1/device/token", null, { deviceCode });
const approve = (userCode: string, more: object = {}, person = ada) =>
  person.call("POST", "/api/v1/device/approve", { userCode, organization, ...more });

async function expire(deviceCode: string): Promise<void> {
  const { db, tables } = openSql(env);
  const { deviceLogins } = tables;
  await db
    .update(deviceLogins)
    .set({ expiresAt: Date.now() - 1 })
    .where(eq(deviceLogins.hash, digest(deviceCode)));
}

describe("a device login", () => {
  it("returns a token of the person who allowed it, once", async () => {
    const login = await start({ clientName: "ada-laptop" });
    expect(login).toMatchObject({
      userCode: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verificationUri: "http://acme.test/device",
      verificationUriComplete: `http://acme.test/device?code=${login.userCode}`,
      expiresIn: 600,
      interval: 5,
    });
    expect(await poll(login.deviceCode)).toMatchObject({
      status: 400,
      body: { code: "authorization_pending" },
    });
    // However the person types it.
    const typed = login.userCode.toLowerCase().replace("-", " ");
    const shown = await ada.call<DeviceLogin>("POST", "/api/v1/device/lookup", { userCode: typed });
    expect(shown.body).toMatchObject({
      userCode: login.userCode,
      clientName: "ada-laptop",
      scopes: ["read", "write", "deploy"],
      userAgent: "acme/1",
      tokenDays: 90,
    });
    expect(await approve(typed, { scopes: ["read"] })).toMatchObject({ body: { decision: "approved" } });
    const { status, body } = await poll(login.deviceCode);
    expect([status, body.name, body.scopes]).toEqual([200, "ada-laptop", ["read"]]);
    const me = await call<WhoamiResponse>("GET", "/api/v1/access-token", body.token);
    expect(me.body).toMatchObject({ user: { email: ada.email }, role: "developer", scopes: ["read"] });
    expect(await poll(login.deviceCode)).toMatchObject({ status: 400, body: { code: "invalid_grant" } });
    // It was answered: nobody can allow or refuse it now.
    expect((await approve(login.userCode)).status).toBe(404);
    expect((await ada.call("POST", "/api/v1/device/deny", { userCode: login.userCode })).status).toBe(404);
  });

  it("gives one token to two who ask at once", async () => {
    const { deviceCode, userCode } = await start();
    await approve(userCode);
    const answers = await Promise.all([poll(deviceCode), poll(deviceCode), poll(deviceCode)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
  });

  it("makes a client that polls too often slow down", async () => {
    const { deviceCode } = await start();
    expect((await poll(deviceCode)).body.code).toBe("authorization_pending");
    expect(await poll(deviceCode)).toMatchObject({ status: 400, body: { code: "slow_down" } });
  });

  it("that was refused, or not allowed in time, returns nothing", async () => {
    const refused = await start();
    const denied = await ada.call("POST", "/api/v1/device/deny", { userCode: refused.userCode });
    expect(denied.body).toEqual({ decision: "denied" });
    expect((await poll(refused.deviceCode)).body.code).toBe("access_denied");
    const late = await start();
    await expire(late.deviceCode);
    expect((await approve(late.userCode)).body.code).toBe("device_login_not_found");
    expect((await poll(late.deviceCode)).body.code).toBe("expired_token");
    const allowed = await start();
    await approve(allowed.userCode);
    await expire(allowed.deviceCode);
    expect((await poll(allowed.deviceCode)).body.code).toBe("expired_token");
    expect((await poll("unknown")).body.code).toBe("invalid_grant");
  });

  it("never gets more than it requested, or another person's organization", async () => {
    const { deviceCode, userCode } = await start({ scopes: ["read"] });
    expect(await approve(userCode, { scopes: ["read", "admin"] })).toMatchObject({
      status: 400,
      body: { code: "scopes_not_asked_for" },
    });
    const stranger = await signIn();
    expect((await approve(userCode, {}, stranger)).body.code).toBe("organization_not_found");
    expect((await poll(deviceCode)).body.code).toBe("authorization_pending");
    expect((await approve(userCode)).status).toBe(200);
  });

  it("can't be found by guessing: entries, polls and logins are counted", async () => {
    const guesser = await signIn(anEmail(), { organization });
    const guess = () => guesser.call("POST", "/api/v1/device/lookup", { userCode: "BBBB-BBBB" });
    const statuses = (await Promise.all(Array.from({ length: 25 }, guess))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(4);
    const { userCode } = await start();
    expect((await approve(userCode, {}, guesser)).status).toBe(429);
    expect((await approve(userCode)).status).toBe(200);

    const prober = { "x-test-address": anAddress() };
    const probe = () => call("POST", "/api/v1/device/token", null, { deviceCode: "unknown" }, prober);
    expect((await probe()).body.code).toBe("invalid_grant");
    // While time stands still, nothing of the limit comes back, however slow the database is.
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const probed = new Set<number>();
      for (let round = 0; round < 12 && !probed.has(429); round++)
        for (const { status } of await Promise.all(Array.from({ length: 10 }, probe))) probed.add(status);
      expect(probed).toContain(429);
    } finally {
      vi.useRealTimers();
    }

    const headers = { "x-test-address": anAddress() };
    const begin = () => call("POST", "/api/v1/device/code", null, {}, headers);
    const begun = (await Promise.all(Array.from({ length: 40 }, begin))).map(({ status }) => status);
    expect(begun.filter((status) => status === 429).length).toBeGreaterThanOrEqual(8);
  });
});
