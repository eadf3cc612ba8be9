import { beforeAll, describe, expect, it } from "vitest";
import type { Access } from "../src/auth/access.ts";
import { issueToken } from "../src/auth/tokens.ts";
import { securityOf } from "../src/openapi/document.ts";
import { call, SIGNING } from "./client.ts";
import { type Caller, makeCallers } from "./matrix/callers.ts";
import { expectedOf } from "./matrix/expected.ts";
import { OUTCOMES } from "./matrix/outcomes.ts";
import { anAddress } from "./person.ts";
import { filled, type Route, routes } from "./routes.ts";

let callers: Caller[];
beforeAll(async () => {
  callers = await makeCallers();
});

/** Operations that remove what later requests need are called last. */
const LAST = ["deleteProject", "revokeOwnAccessToken"];
const inOrder = [...routes].sort((a, b) => LAST.indexOf(a.id) - LAST.indexOf(b.id));

async function ask({ method, path }: Route, { headers, project }: Pick<Caller, "headers" | "project">) {
  const names = { ref: project.ref, env: "prod", organization: project.ref.slice(5) };
  const { status, body } = await call(
    method,
    filled(path, names),
    null,
    method === "GET" ? undefined : "{}",
    {
      "content-type": "application/json",
      "x-test-address": anAddress(),
      ...headers,
    },
  );
  return body.code === undefined ? `${status}` : `${status} ${body.code}`;
}

/** The OpenAPI document lists exactly what a route takes. */
const SCHEMES = {
  "session: owner": "session",
  "secret key": "secretKey",
  "an owner's access token: admin": "accessToken",
  host: "host",
  "host token": "hostToken",
  "admin token": "adminToken",
  "metrics token": "metricsToken",
};

describe("each kind of caller", () => {
  it.each(inOrder)("is answered exactly as it should be by $method $path", async (route) => {
    const answers: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const caller of callers) {
      answers[caller.name] = await ask(route, caller);
      expected[caller.name] = expectedOf(route, caller.kind);
    }
    expect(answers).toEqual(expected);
    const security = securityOf(route.access);
    if (security.length === 0) return;
    for (const [caller, scheme] of Object.entries(SCHEMES)) {
      const isListed = security.some((schemes) => scheme in schemes);
      expect([caller, answers[caller]?.startsWith("401")]).toEqual([caller, !isListed]);
    }
  });
});

const scopesOf = (access: Access): readonly string[] =>
  access.credential === "secretKey" ? (access.scopes ?? []) : [];

describe("a public token", () => {
  const scoped = routes.flatMap((route) => scopesOf(route.access).map((scope) => ({ ...route, scope })));
  it.each(scoped)("for $scope is let through to $method $path", async ({ scope, ...route }) => {
    const { project } = callers.find(({ name }) => name === "secret key") as Caller;
    const token = issueToken(SIGNING, {
      env: project.prodKey,
      kind: "public",
      scopes: [scope.replace(/\{\w+\}/, "x.json")],
      exp: Math.floor(Date.now() / 1000) + 60,
    });
    expect(await ask(route, { headers: { authorization: `Bearer ${token}` }, project })).toBe(
      OUTCOMES[route.id],
    );
  });
});
