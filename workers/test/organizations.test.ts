import type {
  AuditEntry,
  CreateInvitationResponse,
  DeletedProject,
  InvitationObject,
  MemberObject,
  MeResponse,
  OrganizationObject,
  ProjectEnvironment,
  ProjectObject,
  Role,
} from "@acme/sdk/contract/api";
import { describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import { call, newProject } from "./client.ts";
import { anEmail, type SignedIn, signIn } from "./person.ts";

type List<T> = { data: T[] };

async function anOrganization(): Promise<{
  owner: SignedIn;
  path: string;
  organization: OrganizationObject;
}> {
  const owner = await signIn();
  const { status, body } = await owner.call<OrganizationObject>("POST", "/api/v1/organizations", {
    name: "Road Runner & Co.",
  });
  expect(status).toBe(201);
  return { owner, organization: body, path: `/api/v1/organizations/${body.slug}` };
}

const invite = (by: SignedIn, path: string, email: string, role: Role = "developer") =>
  by.call<CreateInvitationResponse & { code: string }>("POST", `${path}/invitations`, { email, role });

const tokenOf = (url: string): string => url.slice(url.lastIndexOf("/") + 1);

async function joined(by: SignedIn, path: string, role: Role): Promise<SignedIn> {
  const email = anEmail();
  const { body } = await invite(by, path, email, role);
  const person = await signIn(email);
  const accepted = await person.call("POST", "/api/v1/invitations/accept", { token: tokenOf(body.url) });
  expect(accepted.status).toBe(200);
  return person;
}

const auditOf = async (owner: SignedIn, path: string) =>
  (await owner.call<List<AuditEntry>>("GET", `${path}/audit`)).body.data;

describe("organizations", () => {
  it("are created by any signed-in person, who then owns them", async () => {
    const { owner, organization, path } = await anOrganization();
    expect(organization).toMatchObject({
      slug: expect.stringMatching(/^road-runner-co-[0-9a-z]{5}$/),
      role: "owner",
      members: 1,
      projects: 0,
    });
    const renamed = await owner.call("PUT", path, { name: "Roads" });
    expect(renamed).toMatchObject({ status: 200, body: { name: "Roads", slug: organization.slug } });
    const me = await owner.call<MeResponse>("GET", "/api/v1/me");
    expect(me.body.organizations).toMatchObject([{ id: organization.id, name: "Roads", role: "owner" }]);
  });

  it("have unique slugs", async () => {
    const { owner, organization } = await anOrganization();
    const same = await owner.call("POST", "/api/v1/organizations", { name: "X", slug: organization.slug });
    expect(same).toMatchObject({ status: 409, body: { code: "slug_taken" } });
    const wrong = await owner.call("POST", "/api/v1/organizations", { name: "X", slug: "-X" });
    expect(wrong).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });
});

describe("invitations", () => {
  it("make the invited person a member, once", async () => {
    const { owner, path, organization } = await anOrganization();
    const email = anEmail();
    const { status, body } = await invite(owner, path, email.toUpperCase(), "admin");
    expect(status).toBe(201);
    expect(body).toMatchObject({ email, role: "admin", invitedBy: owner.email, mailed: true });
    const token = tokenOf(body.url);
    expect((await call("POST", "/api/v1/invitations/lookup", null, { token }, json)).body).toEqual({
      organization: { slug: organization.slug, name: organization.name },
      email,
      role: "admin",
      expiresAt: body.expiresAt,
    });
    const person = await signIn(email);
    const accept = () => person.call("POST", "/api/v1/invitations/accept", { token });
    const answers = await Promise.all([accept(), accept(), accept()]);
    expect(answers.map((each) => each.status).sort()).toEqual([200, 404, 404]);
    const members = await owner.call<List<MemberObject>>("GET", `${path}/members`);
    expect(members.body.data.map((each) => [each.email, each.role])).toEqual([
      [owner.email, "owner"],
      [email, "admin"],
    ]);
    expect((await owner.call<List<InvitationObject>>("GET", `${path}/invitations`)).body.data).toEqual([]);
  });

  it("are for one person only", async () => {
    const { owner, path } = await anOrganization();
    const { body } = await invite(owner, path, anEmail());
    const other = await signIn();
    const answer = await other.call("POST", "/api/v1/invitations/accept", { token: tokenOf(body.url) });
    expect(answer).toMatchObject({ status: 403, body: { code: "invitation_of_another_person" } });
    expect((await other.call("GET", path)).status).toBe(404);
  });

  it("can be revoked, and replaced by another", async () => {
    const { owner, path } = await anOrganization();
    const email = anEmail();
    const first = (await invite(owner, path, email)).body;
    const second = (await invite(owner, path, email)).body;
    const open = await owner.call<List<InvitationObject>>("GET", `${path}/invitations`);
    expect(open.body.data.map(({ id }) => id)).toEqual([second.id]);
    const person = await signIn(email);
    const accept = (url: string) =>
      person.call("POST", "/api/v1/invitations/accept", { token: tokenOf(url) });
    expect((await accept(first.url)).status).toBe(404);
    expect((await owner.call("DELETE", `${path}/invitations/${second.id}`)).status).toBe(200);
    expect((await owner.call("DELETE", `${path}/invitations/${second.id}`)).status).toBe(404);
    expect((await accept(second.url)).status).toBe(404);
  });

  it("to become an owner are made by owners", async () => {
    const { owner, path } = await anOrganization();
    const admin = await joined(owner, path, "admin");
    expect(await invite(admin, path, anEmail(), "owner")).toMatchObject({ status: 403 });
    expect(await invite(admin, path, owner.email)).toMatchObject({
      status: 409,
      body: { code: "already_member" },
    });
  });
});

const json = { "content-type": "application/json" };

describe("members", () => {
  it("have roles that admins change, and owners only for owners", async () => {
    const { owner, path } = await anOrganization();
    const admin = await joined(owner, path, "admin");
    const viewer = await joined(owner, path, "viewer");
    const change = (by: SignedIn, who: SignedIn, role: Role) =>
      by.call("PUT", `${path}/members/${who.userId}`, { role });
    expect(await change(admin, viewer, "developer")).toMatchObject({
      status: 200,
      body: { role: "developer" },
    });
    expect((await change(admin, viewer, "owner")).status).toBe(403);
    expect((await change(admin, owner, "viewer")).status).toBe(403);
    expect((await change(viewer, viewer, "admin")).status).toBe(403);
    expect((await change(owner, viewer, "owner")).status).toBe(200);
    expect(await change(owner, { ...viewer, userId: "user_nobody" }, "viewer")).toMatchObject({
      status: 404,
      body: { code: "member_not_found" },
    });
  });

  it("always include an owner, also when two leave at once", async () => {
    const { owner, path } = await anOrganization();
    const leave = (who: SignedIn) => who.call("DELETE", `${path}/members/${who.userId}`);
    expect(await leave(owner)).toMatchObject({ status: 409, body: { code: "last_owner" } });
    expect(await owner.call("PUT", `${path}/members/${owner.userId}`, { role: "viewer" })).toMatchObject({
      status: 409,
      body: { code: "last_owner" },
    });
    const second = await joined(owner, path, "owner");
    const answers = await Promise.all([leave(owner), leave(second)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  it("lose all access when they are removed", async () => {
    const { owner, path } = await anOrganization();
    const viewer = await joined(owner, path, "viewer");
    expect((await viewer.call("GET", path)).status).toBe(200);
    expect((await owner.call("DELETE", `${path}/members/${viewer.userId}`)).status).toBe(200);
    expect((await viewer.call("GET", path)).status).toBe(404);
    expect((await viewer.call<MeResponse>("GET", "/api/v1/me")).body.organizations).toEqual([]);
  });
});

describe("projects", () => {
  const make = async (owner: SignedIn, path: string) =>
    (await owner.call<ProjectObject>("POST", `${path}/projects`, { name: "Road" })).body;

  it("come with a production and a development environment", async () => {
    const { owner, path } = await anOrganization();
    const project = await make(owner, path);
    const me = await owner.call<MeResponse>("GET", "/api/v1/me");
    expect(me.body.organizations[0]?.projects).toMatchObject([
      { ref: project.ref, environments: [{ slug: "dev" }, { slug: "prod" }] },
    ]);
    const renamed = await owner.call("PUT", `/api/v1/projects/${project.ref}`, { name: "Street" });
    expect(renamed).toMatchObject({ status: 200, body: { name: "Street", ref: project.ref } });
  });

  it("have one development environment a member, and staging and preview on demand", async () => {
    const { owner, path } = await anOrganization();
    const project = await make(owner, path);
    const environments = `/api/v1/projects/${project.ref}/environments`;
    const create = (by: SignedIn, body: unknown) => by.call<ProjectEnvironment>("POST", environments, body);
    const developer = await joined(owner, path, "developer");
    const own = (await create(developer, { type: "dev" })).body;
    expect(own).toMatchObject({ type: "DEVELOPMENT", userId: developer.userId });
    expect((await create(developer, { type: "dev" })).body).toEqual(own);
    expect((await create(owner, { type: "dev" })).body.id).not.toBe(own.id);
    const twice = await Promise.all([create(owner, { type: "staging" }), create(owner, { type: "staging" })]);
    expect(twice[0]?.body.id).toBe(twice[1]?.body.id);
    expect((await create(owner, { type: "moon" })).status).toBe(400);
  });

  it("show each member everybody's development environment and their own", async () => {
    const { owner, path } = await anOrganization();
    const project = await make(owner, path);
    const environments = `/api/v1/projects/${project.ref}/environments`;
    const [ada, bob] = [await joined(owner, path, "developer"), await joined(owner, path, "admin")];
    const create = async (by: SignedIn) =>
      (await by.call<ProjectEnvironment>("POST", environments, { type: "dev" })).body;
    const [ofAda, ofBob] = [await create(ada), await create(bob)];
    for (const [who, own, others] of [
      [ada, ofAda, ofBob],
      [bob, ofBob, ofAda],
    ] as const) {
      const me = await who.call<MeResponse>("GET", "/api/v1/me");
      const shown = me.body.organizations[0]?.projects[0]?.environments;
      expect(shown?.map(({ slug, name }) => [slug, name])).toEqual([
        ["dev", "Development"],
        [own.slug, "Your development"],
        ["prod", "Production"],
      ]);
      const { body } = await who.call<List<ProjectEnvironment>>("GET", environments);
      expect(body.data.map(({ slug }) => slug)).toEqual(["dev", own.slug, "prod"]);
      // Another member's is answered like one that never existed, by id and by path.
      for (const name of [others.id, `${project.ref}/${others.slug}`]) {
        const refused = await who.call("GET", "/api/v1/runs", undefined, { "x-acme-environment": name });
        const nowhere = await who.call("GET", "/api/v1/runs", undefined, {
          "x-acme-environment": name.replace(/.{4}$/, "none"),
        });
        expect([refused.status, refused.body.code]).toEqual([404, nowhere.body.code]);
      }
      expect((await who.call("GET", `/api/v1/projects/${project.ref}/${others.slug}/keys`)).status).toBe(404);
    }
  });

  it("end the keys of a member's own development environment with the membership", async () => {
    const { owner, path } = await anOrganization();
    const project = await make(owner, path);
    const base = `/api/v1/projects/${project.ref}`;
    const developer = await joined(owner, path, "admin");
    const { body: own } = await developer.call<ProjectEnvironment>("POST", `${base}/environments`, {
      type: "dev",
    });
    const keyOf = async (slug: string) =>
      (await developer.call<{ key: string }>("POST", `${base}/${slug}/keys`, {})).body.key;
    const [ownKey, sharedKey] = [await keyOf(own.slug), await keyOf("dev")];
    const status = async (key: string) => (await call("GET", "/api/v1/runs", key)).status;
    expect([await status(ownKey), await status(sharedKey)]).toEqual([200, 200]);
    expect((await owner.call("DELETE", `${path}/members/${developer.userId}`)).status).toBe(200);
    expect([await status(ownKey), await status(sharedKey)]).toEqual([401, 200]);
  });

  it("have branches that can be archived and restored", async () => {
    const { owner, path } = await anOrganization();
    const project = await make(owner, path);
    const base = `/api/v1/projects/${project.ref}`;
    const create = () =>
      owner.call<ProjectEnvironment>("POST", `${base}/environments`, { type: "branch", branch: "feat/Ü-1" });
    const branch = (await create()).body;
    expect(branch).toMatchObject({ type: "PREVIEW", name: "feat/Ü-1", branch: "feat/Ü-1", archivedAt: null });
    expect((await owner.call("GET", `${base}/${branch.slug}`)).body).toMatchObject({ id: branch.id });
    const key = (await owner.call<{ key: string }>("POST", `${base}/${branch.slug}/keys`, {})).body.key;
    const options = { delay: "1h" };
    const run = await call<{ id: string }>("POST", "/api/v1/tasks/any/trigger", key, { options });
    expect(run.status).toBe(200);
    await vi.waitUntil(
      async () => (await call<List<unknown>>("GET", "/api/v1/runs", key)).body.data.length === 1,
      { timeout: 20_000, interval: 50 },
    );
    const archive = () => owner.call("POST", `${base}/branches/archive`, { branch: "feat/Ü-1" });
    expect((await archive()).status).toBe(200);
    expect((await archive()).status).toBe(200);
    // It is read-only, and runs that had not ended are canceled.
    expect((await owner.call("GET", `${base}/${branch.slug}`)).body).toMatchObject({ paused: true });
    const header = { "x-acme-environment": branch.id };
    const refused = await owner.call("POST", "/api/v1/tasks/any/trigger", {}, header);
    expect([refused.status, refused.body.code]).toEqual([409, "branch_archived"]);
    await vi.waitUntil(
      async () => {
        const shown = await owner.call("GET", `/api/v3/runs/${run.body.id}`, undefined, header);
        return shown.body.status === "CANCELED";
      },
      { timeout: 20_000, interval: 50 },
    );
    expect((await call("GET", "/api/v1/runs", key)).status).toBe(401);
    const list = await owner.call<List<ProjectEnvironment>>("GET", `${base}/environments`);
    expect(list.body.data.find(({ id }) => id === branch.id)?.archivedAt).not.toBeNull();
    expect((await create()).body).toMatchObject({ id: branch.id, archivedAt: null });
    expect((await owner.call("GET", `${base}/${branch.slug}`)).body).toMatchObject({ paused: false });
  });

  it("are deleted with their keys, and stop", async () => {
    const project = await newProject();
    const organization = project.ref.slice(5);
    const owner = await signIn(anEmail(), { organization });
    const admin = await signIn(anEmail(), { organization, role: "admin" });
    const path = `/api/v1/projects/${project.ref}`;
    expect((await admin.call("DELETE", path)).status).toBe(403);
    const deleted = await owner.call<z.output<typeof DeletedProject>>("DELETE", path);
    expect(deleted).toMatchObject({
      status: 200,
      body: { ref: project.ref, environments: ["dev", "prod"], apiKeysRevoked: 2, variablesDeleted: 0 },
    });
    expect((await owner.call("DELETE", path)).status).toBe(404);
    expect((await owner.call("GET", `${path}/prod`)).status).toBe(404);
    expect((await call("GET", `${path}/prod`, project.accessToken)).status).toBe(404);
    const me = await owner.call<MeResponse>("GET", "/api/v1/me");
    expect(me.body.organizations[0]?.projects).toEqual([]);
  });

  it("let admins set limits up to the organization's ceiling", async () => {
    const { owner, path } = await anOrganization();
    const project = await make(owner, path);
    const limits = `/api/v1/projects/${project.ref}/prod/limits`;
    const set = await owner.call("PUT", limits, { concurrencyLimit: 7, burstFactor: 2 });
    expect(set).toMatchObject({ status: 200, body: { concurrencyLimit: 7, burstFactor: 2 } });
    expect((await owner.call("PUT", limits, { weight: 50 })).status).toBe(400);
  });
});

describe("the audit log", () => {
  it("lists who did what, newest first, and exports it", async () => {
    const { owner, path } = await anOrganization();
    const viewer = await joined(owner, path, "viewer");
    await owner.call("DELETE", `${path}/members/${viewer.userId}`);
    const entries = await auditOf(owner, path);
    expect(entries.map(({ action }) => action)).toEqual([
      "member.removed",
      "invitation.accepted",
      "invitation.created",
      "organization.created",
    ]);
    expect(entries[0]).toMatchObject({
      actor: { type: "user", id: owner.userId, name: owner.email },
      target: { type: "member", id: viewer.userId },
      details: { email: viewer.email, role: "viewer" },
    });
    const first = await owner.call<List<AuditEntry> & { pagination: { next: string } }>(
      "GET",
      `${path}/audit?page[size]=3`,
    );
    const rest = await owner.call<List<AuditEntry>>(
      "GET",
      `${path}/audit?page[size]=3&page[after]=${first.body.pagination.next}`,
    );
    expect([...first.body.data, ...rest.body.data]).toEqual(entries);
    const exported = await owner.call<string>("GET", `${path}/audit/export?action=member.removed`);
    expect(exported.headers.get("content-type")).toBe("application/x-ndjson");
    expect(
      String(exported.body)
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([entries[0]]);
  });

  it("does not contain refused requests", async () => {
    const { owner, path } = await anOrganization();
    await owner.call("DELETE", `${path}/members/${owner.userId}`);
    expect((await auditOf(owner, path)).map(({ action }) => action)).toEqual(["organization.created"]);
  });
});
