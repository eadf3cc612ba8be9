import { LEAST_ROLE, mayAs, ROLES, type Role, TOKEN_SCOPES, type TokenScope } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import type { OfEnvironment } from "../src/people/require-role.ts";
import { scopesAllow, scopesFor } from "../src/people/token-scopes.ts";
import { createToken } from "./access-token.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { anEmail, signIn } from "./person.ts";
import { filled, type Route, taking } from "./routes.ts";

/** A person with a token of each scope, alone in an organization, so that deletions do not affect others. */
interface Holder {
  project: Project;
  tokens: Record<TokenScope, string>;
}

async function aHolder(role: Role): Promise<Holder> {
  const project = await newProject();
  await deploy(project, ["hello"]);
  const organization = project.ref.slice(5);
  const person = await signIn(anEmail(), { organization, role });
  const tokens = {} as Record<TokenScope, string>;
  for (const scope of TOKEN_SCOPES) {
    tokens[scope] = (await createToken(person, { organization, scopes: [scope] })).token;
  }
  return { project, tokens };
}

const holders = new Map<Role, Holder>();
beforeAll(async () => {
  for (const role of ROLES) holders.set(role, await aHolder(role));
});

/** Operations that delete everything are called last. */
const all = taking("secretKey", "accessToken", "environment", "member", "project").sort(
  (a, b) => Number(a.id === "deleteProject") - Number(b.id === "deleteProject"),
);

const NOT_FOUND = ["environment_not_found", "organization_not_found", "project_not_found"];

const ask = ({ method, path }: Route, token: string, { ref }: Project) =>
  call(
    method,
    filled(path, { ref, env: "prod", organization: ref.slice(5) }),
    token,
    method === "GET" ? undefined : {},
    { "x-acme-environment": `${ref}/prod` },
  );

describe.each(ROLES)("an access token of a member with the role %s", (role) => {
  it.each(TOKEN_SCOPES)("and the scope %s may do exactly what both tables say", async (scope) => {
    const { project, tokens } = holders.get(role) as Holder;
    for (const route of all) {
      const id = route.id as OfEnvironment;
      const { status, body } = await ask(route, tokens[scope], project);
      const what = `${route.method} ${route.path}: ${status} ${JSON.stringify(body).slice(0, 200)}`;
      if (!scopesAllow([scope], id)) {
        expect([status, body.code], what).toEqual([403, "scope_missing"]);
        expect(body.error, what).toContain(`lacks the scope ${scopesFor(id).join(" or ")}`);
      } else if (!mayAs(role, LEAST_ROLE[id])) {
        expect([status, body.code], what).toEqual([403, "role_not_allowed"]);
      } else {
        // An authorized request finds that the body is empty, or that what the path names does not exist.
        expect([401, 403, 405, 429], what).not.toContain(status);
        expect(NOT_FOUND, what).not.toContain(body.code);
        if (body.code !== "needs_clickhouse") expect(status, what).toBeLessThan(500);
      }
    }
  });
});

describe("an access token of another organization", () => {
  it("finds nothing anywhere", async () => {
    const own = holders.get("owner") as Holder;
    const other = await aHolder("owner");
    for (const route of all) {
      const { status, body } = await ask(route, other.tokens.admin, own.project);
      expect(status, `${route.method} ${route.path}`).toBe(404);
      expect(NOT_FOUND).toContain(body.code);
    }
  });
});
