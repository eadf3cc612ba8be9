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

/** What deletes everything is asked for last. */
const ofMembers = taking("secretKey", "accessToken", "environment", "member").sort(
  (a, b) => Number(a.id === "deleteProject") - Number(b.id === "deleteProject"),
);

const namesIn = ({ project }: Member) => ({
  ref: project.ref,
  env: "prod",
  organization: project.ref.slice(5),
});

const NOT_FOUND = ["environment_not_found", "organization_not_found", "project_not_found"];

const ask = (who: SignedIn, { method, path }: Route, member: Member) =>
  who.call(method, filled(path, namesIn(member)), method === "GET" ? undefined : {}, {
    "x-acme-environment": member.prod,
  });

describe.each(ROLES)("a member with the role %s", (role) => {
  it.each(ofMembers)("is let through to $method $path exactly when the table says so", async (route) => {
    const member = members.get(role) as Member;
    const { status, body } = await ask(member.person, route, member);
    const least = LEAST_ROLE[route.id as keyof typeof LEAST_ROLE];
    if (!mayAs(role, least)) {
      expect([status, body.code]).toEqual([403, "role_not_allowed"]);
      return;
    }
    // Let through, it finds that the body is empty or that what the path names is not there.
    expect([401, 403, 405, 429]).not.toContain(status);
    expect(NOT_FOUND).not.toContain(body.code);
    expect(status).toBeLessThan(500);
  });
});

describe("an owner of another organization", () => {
  it.each(ofMembers)("finds nothing at $method $path", async (route) => {
    const { status, body } = await ask(stranger.person, route, members.get("owner") as Member);
    expect(status).toBe(404);
    expect(NOT_FOUND).toContain(body.code);
  });
});

describe("a session that has ended", () => {
  it.each(taking("secretKey", "accessToken", "environment", "member", "session"))(
    "is nobody at $method $path",
    async (route) => {
      const member = members.get("owner") as Member;
      const { status, body } = await call(
        route.method,
        filled(route.path, namesIn(member)),
        null,
        undefined,
        { cookie: "acme.session_token=gone.gone", origin: ORIGIN, "x-acme-environment": member.prod },
      );
      expect([status, body.code]).toEqual([401, "not_signed_in"]);
    },
  );
});
