import { beforeAll, describe, expect, it } from "vitest";
import { app } from "../src/app.ts";
import { issueToken } from "../src/auth/tokens.ts";
import { call, newProject, type Project, SIGNING } from "./client.ts";
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

  it.each(taking("secretKey"))(
    "takes an access token at $method $path only with the name of an environment",
    async ({ method, path }) => {
      const { status, body } = await call(method, filled(path), project.accessToken);
      expect([status, body.code]).toEqual([400, "environment_missing"]);
    },
  );

  it.each(taking("secretKey"))(
    "refuses $method $path with a public token for something else",
    async (route) => {
      const token = publicToken(["read:other", "write:other:x.json"]);
      const { status, body } = await call(route.method, filled(route.path), token);
      expect([status, body.code]).toEqual([403, "not_allowed"]);
    },
  );
});
