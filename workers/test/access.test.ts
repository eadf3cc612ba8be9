import { beforeAll, describe, expect, it } from "vitest";
import { app } from "../src/app.ts";
import { issueToken } from "../src/auth/tokens.ts";
import { ADMIN_TOKEN, call, newProject, type Project, SIGNING } from "./client.ts";
import { filled, routes, taking } from "./routes.ts";

const publicToken = (scopes: string[]): string =>
  issueToken(SIGNING, {
    env: project.prodKey,
    kind: "public",
    scopes,
    exp: Math.floor(Date.now() / 1000) + 60,
  });

let project: Project;
beforeAll(async () => {
  project = await newProject();
});

describe("each route that the API document lists", () => {
  it("is registered, and each registered one is listed", () => {
    const registered = app.routes
      .filter(({ method, path }) => method !== "ALL" && !path.endsWith("/*"))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{.*?\}(?=\/|$))?/g, "{$1}")}`);
    const listed = routes.map(({ method, path }) => `${method} ${path}`);
    expect([...new Set(registered)].sort()).toEqual(listed.sort());
  });

  it.each(routes.filter(({ access }) => access.credential !== "none"))(
    "refuses $method $path without a key",
    async ({ method, path, access }) => {
      const url = filled(path, { env: "prod" });
      const { status, body } = await call(method, url, null);
      const code =
        access.credential === "session" || access.credential === "member"
          ? "not_signed_in"
          : "missing_api_key";
      expect([status, body.code]).toEqual([401, code]);
    },
  );

  it.each(taking("secretKey"))(
    "refuses $method $path with a token of another kind",
    async ({ method, path }) => {
      expect((await call(method, filled(path), "tr_prod_unknown")).status).toBe(401);
      expect((await call(method, filled(path), "tr_pat_unknown")).status).toBe(401);
      expect((await call(method, filled(path), ADMIN_TOKEN)).status).toBe(401);
    },
  );

  it.each(taking("accessToken", "session", "token", "member", "host", "hostToken", "adminToken"))(
    "refuses $method $path with a secret key",
    async ({ method, path }) => {
      const url = filled(path, { env: "prod", ref: project.ref });
      expect((await call(method, url, project.prod)).status).toBe(401);
    },
  );

  it.each(taking("secretKey"))(
    "takes an access token at $method $path only with the name of an environment",
    async ({ method, path }) => {
      const { status, body } = await call(method, filled(path), project.accessToken);
      expect([status, body.code]).toEqual([400, "environment_missing"]);
    },
  );

  it.each(taking("session"))("refuses $method $path with an access token", async ({ method, path }) => {
    const { status, body } = await call(method, filled(path), project.accessToken);
    expect([status, body.code]).toEqual([401, "not_signed_in"]);
  });

  it.each(taking("secretKey"))(
    "refuses $method $path with a public token for something else",
    async (route) => {
      const token = publicToken(["read:other", "write:other:x.json"]);
      const { status, body } = await call(route.method, filled(route.path), token);
      expect([status, body.code]).toEqual([403, "not_allowed"]);
    },
  );

  const scoped = routes.flatMap(({ method, path, access }) =>
    (access.credential === "secretKey" ? (access.scopes ?? []) : []).map((scope) => ({
      method,
      path,
      scope,
    })),
  );
  it.each(scoped)(
    "lets $method $path through with a public token for $scope",
    async ({ method, path, scope }) => {
      const token = publicToken([scope.replace(/\{\w+\}/, "x.json")]);
      // What it asks for is not there.
      const { status } = await call(method, filled(path), token, method === "GET" ? undefined : {});
      expect([200, 400, 404]).toContain(status);
    },
  );
});
