import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { app } from "../src/app.ts";
import { parseSigningKeys, Signer, signerOf } from "../src/auth/signing.ts";
import { issueToken, verifyToken } from "../src/auth/tokens.ts";
import { call, newProject } from "./client.ts";

const OLD = "k1:0123456789abcdef-old";
const NEW = "k2:0123456789abcdef-new";
const now = Date.parse("2026-12-01T00:00:00Z");
const signer = (SIGNING_KEYS: string, SIGNING_KEY?: string): Signer => {
  const keys = parseSigningKeys({ SIGNING_KEYS, SIGNING_KEY });
  if ("problem" in keys) throw new Error(keys.problem);
  return new Signer(keys);
};

describe("a rotated signing key", () => {
  const url = signer(OLD).sign("callback", "waitpoint_1");
  const token = signer(OLD).issueJwt({ env: "abc" });

  it("verifies what it signed until its date", () => {
    const rotated = signer(`${NEW},${OLD}@2026-12-02`);
    expect(rotated.verify("callback", "waitpoint_1", url, now)).toBe(true);
    expect(rotated.verifyJwt(token, now)).toEqual({ env: "abc" });
    const later = Date.parse("2026-12-02T00:00:00Z");
    expect(rotated.verify("callback", "waitpoint_1", url, later)).toBe(false);
    expect(rotated.verifyJwt(token, later)).toBeNull();
  });

  it("signs nothing any more", () => {
    const rotated = signer(`${NEW},${OLD}`);
    expect(rotated.sign("callback", "a")).toMatch(/^k2\./);
    expect(signer(OLD).verifyJwt(rotated.issueJwt({}), now)).toBeNull();
    expect(signer(NEW).verifyJwt(rotated.issueJwt({ a: 1 }), now)).toEqual({ a: 1 });
  });

  it("verifies nothing once it is removed", () => {
    expect(signer(NEW).verify("callback", "waitpoint_1", url, now)).toBe(false);
    expect(signer(NEW).verifyJwt(token, now)).toBeNull();
  });

  it("may be the earlier SIGNING_KEY", () => {
    const single = signer("", "0123456789abcdef").sign("packet", "p");
    expect(signer(NEW, "0123456789abcdef").verify("packet", "p", single, now)).toBe(true);
    expect(signer(NEW).verify("packet", "p", single, now)).toBe(false);
  });
});

describe("what a signature is valid for", () => {
  const one = signer(OLD);

  it("is one purpose and one text", () => {
    const signature = one.sign("callback", "a");
    expect(one.verify("packet", "a", signature, now)).toBe(false);
    expect(one.verify("callback", "b", signature, now)).toBe(false);
  });

  it.each(["", ".", "k1.", "k1", "k2.abc", "k1.abc", "__proto__.a"])("refuses %j", (signature) => {
    expect(one.verify("callback", "a", signature, now)).toBe(false);
    expect(one.verifyJwt(signature, now)).toBeNull();
  });

  it("is not determined by the header of a token", () => {
    const [, claims] = one.issueJwt({ env: "abc" }).split(".");
    for (const header of ['{"alg":"none"}', '{"alg":"HS256"}', '{"alg":"none","typ":"JWT","kid":"k1"}']) {
      const forged = `${Buffer.from(header).toString("base64url")}.${claims}.`;
      expect(one.verifyJwt(forged, now)).toBeNull();
    }
  });

  it("ends with the token", () => {
    const exp = now / 1000 + 60;
    const token = issueToken(env, { env: "abc", kind: "public", scopes: [], exp });
    expect(verifyToken(env, token, now)).toMatchObject({ env: "abc" });
    expect(verifyToken(env, token, now + 60_000)).toBeNull();
  });
});

describe("keys that are configured wrongly", () => {
  it.each([
    [{}, /missing or empty/],
    [{ SIGNING_KEYS: " , ", SIGNING_KEY: "" }, /missing or empty/],
    [{ SIGNING_KEYS: "0123456789abcdef" }, /Key 1 of SIGNING_KEYS is not of the form/],
    [{ SIGNING_KEYS: `${OLD},k2:short` }, /"k2" has fewer than 16/],
    [{ SIGNING_KEY: "short" }, /"default" has fewer than 16/],
    [{ SIGNING_KEYS: `${OLD},${OLD}` }, /Two signing keys have the ID "k1"/],
    [{ SIGNING_KEYS: `${OLD}@2026-13-40` }, /date after @/],
  ])("%j", (keys, problem) => {
    const parsed = parseSigningKeys(keys);
    expect(parsed).toEqual({ problem: expect.stringMatching(problem) });
    expect(JSON.stringify(parsed)).not.toContain("0123456789abcdef");
  });

  it.each([
    [{ SIGNING_KEY: "" }, /SIGNING_KEYS \(or SIGNING_KEY\) is missing or empty/],
    [{ HOST_TOKEN: undefined }, /HOST_TOKEN is missing or empty/],
    [{ ADMIN_TOKEN: "short" }, /ADMIN_TOKEN has fewer than 16/],
  ])("make the Worker answer nothing but that: %j", async (wrong, problem) => {
    const bindings = { ...env, ...wrong };
    for (const path of ["/api/v1/runs", "/engine/v1/worker-actions/report", "/admin/v1/bootstrap"]) {
      const response = await app.request(path, { method: "POST" }, bindings);
      expect(response.status).toBe(500);
      const body = await response.json<{ code: string; error: string }>();
      expect(body).toMatchObject({ code: "server_misconfigured", error: expect.stringMatching(problem) });
    }
    const health = await app.request("/healthz", {}, bindings);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ ok: false, configuration: expect.stringMatching(problem) });
  });
});

it("a callback URL survives the rotation of the key", async () => {
  const project = await newProject();
  const created = await call<{ url: string; id: string }>(
    "POST",
    "/api/v1/waitpoints/tokens",
    project.prod,
    {},
  );
  const { pathname } = new URL(created.body.url);
  const rotated = { ...env, SIGNING_KEYS: NEW };
  const answer = await app.request(pathname, { method: "POST", body: "{}" }, rotated);
  expect(answer.status).toBe(200);
  const gone = { ...env, SIGNING_KEYS: NEW, SIGNING_KEY: "" };
  expect((await app.request(pathname, { method: "POST", body: "{}" }, gone)).status).toBe(401);
  expect(signerOf(env).sign("callback", "a")).toMatch(/^default\./);
});
