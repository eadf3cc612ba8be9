import { type MeResponse, ROLES, type Role } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { LEAST_ROLE, mayAs } from "../src/people/roles.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { anEmail, ORIGIN, type SignedIn, signIn } from "./person.ts";
import { filled, type Route, taking } from "./routes.ts";

/** Each person is alone in an organization of their own, so that what one of them deletes is there for the others. */
interface Member {
  person: SignedIn;
  project: Project;
  prod: string;
}

async function aMember(role: Role): Promise<Member> {
  const project = await newProject();
  await deploy(project, ["hello"]);
  const person = await signIn(anEmail(), { organization: project.ref.slice(5), role });
  const me = await person.call<MeResponse>("GET", "/api/v1/me");
  const environments = me.body.organizations[0]?.projects[0]?.environments ?? [];
  return { person, project, prod: environments.find(({ slug }) => slug === "prod")?.id ?? "" };
}

const members = new Map<Role, Member>();
let stranger: Member;
beforeAll(async () => {
  for (const role of ROLES) members.set(role, await aMember(role));
  stranger = await aMember("owner");
});

const ofEnvironment = taking("secretKey", "accessToken");

const ask = (who: SignedIn, { method, path }: Route, { project, prod }: Member) =>
  who.call(method, filled(path, { ref: project.ref, env: "prod" }), method === "GET" ? undefined : {}, {
    "x-acme-environment": prod,
  });

describe.each(ROLES)("a member with the role %s", (role) => {
  it.each(ofEnvironment)("is let through to $method $path exactly when the table says so", async (route) => {
    const member = members.get(role) as Member;
    const { status, body } = await ask(member.person, route, member);
    const least = LEAST_ROLE[route.id as keyof typeof LEAST_ROLE];
    if (!mayAs(role, least)) {
      expect([status, body.code]).toEqual([403, "role_not_allowed"]);
      return;
    }
    // Let through, it finds that the body is empty or that what the path names is not there.
    expect([401, 403, 405, 429]).not.toContain(status);
    expect(body.code).not.toBe("environment_not_found");
    expect(status).toBeLessThan(500);
  });
});

describe("an owner of another organization", () => {
  it.each(ofEnvironment)("finds nothing at $method $path", async (route) => {
    const { status, body } = await ask(stranger.person, route, members.get("owner") as Member);
    expect([status, body.code]).toEqual([404, "environment_not_found"]);
  });
});

describe("a session that has ended", () => {
  it.each(taking("secretKey", "accessToken", "session"))("is nobody at $method $path", async (route) => {
    const { project, prod } = members.get("owner") as Member;
    const { status, body } = await call(
      route.method,
      filled(route.path, { ref: project.ref, env: "prod" }),
      null,
      undefined,
      { cookie: "acme.session_token=gone.gone", origin: ORIGIN, "x-acme-environment": prod },
    );
    expect([status, body.code]).toEqual([401, "not_signed_in"]);
  });
});
