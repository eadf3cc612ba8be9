import { randomBase36 } from "@acme/sdk/contract";
import type { ProjectEnvironment } from "@acme/sdk/contract/api";
import { describe, expect, it, vi } from "vitest";
import { ADMIN_TOKEN, call, deploy, newProject } from "./client.ts";
import { anEmail, signIn } from "./person.ts";

const NAME = "feat/search";

/** A project whose preview environment has a key and a branch. */
async function withBranch() {
  const project = await newProject();
  await deploy(project, ["hello"]);
  const slug = project.ref.slice(5);
  const preview = `tr_preview_${randomBase36(24)}`;
  await call("POST", "/admin/v1/bootstrap", ADMIN_TOKEN, {
    organization: { slug, name: slug },
    project: { ref: project.ref, name: slug },
    secretKeys: { preview },
    accessToken: project.accessToken,
  });
  const owner = await signIn(anEmail(), { organization: slug, role: "owner" });
  const base = `/api/v1/projects/${project.ref}`;
  const branch = (
    await owner.call<{ id: string; key: string; slug: string }>("POST", `${base}/environments`, {
      type: "branch",
      branch: NAME,
    })
  ).body;
  const ask = <T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: object,
    name = NAME,
    key = preview,
  ) => call<T & { code: string }>(method, path, key, body, { "x-trigger-branch": name });
  return { project, preview, owner, base, branch, ask };
}

type Listed = { data: { id: string }[] };

describe("a branch of a preview environment", () => {
  it("is selected by a header, with the key of the preview environment", { timeout: 60_000 }, async () => {
    const { project, preview, branch, ask } = await withBranch();
    const { id } = (await ask<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", {})).body;
    expect(id).toContain(branch.key);
    expect((await ask("GET", `/api/v3/runs/${id}`)).status).toBe(200);
    expect((await call("GET", `/api/v3/runs/${id}`, preview)).status).toBe(404);
    await vi.waitFor(
      async () =>
        expect((await ask<Listed>("GET", "/api/v1/runs")).body.data.map((run) => run.id)).toEqual([id]),
      { timeout: 20_000 },
    );
    // Tokens that are made in a branch are that branch's.
    const { token } = (
      await ask<{ token: string }>("POST", "/api/v1/auth/public-tokens", { scopes: ["read:runs"] })
    ).body;
    expect((await call("GET", `/api/v3/runs/${id}`, token)).status).toBe(200);
    const watched = await ask("GET", `/realtime/v1/runs/${id}?offset=-1`);
    expect(watched.status).toBe(200);
    const named = await call(
      "GET",
      `/api/v1/projects/${project.ref}/preview`,
      project.accessToken,
      undefined,
      {
        "x-trigger-branch": NAME,
      },
    );
    expect(named.body).toMatchObject({ id: branch.id, slug: branch.slug });
  });

  it("has to exist, and other environments have none", async () => {
    const { project, branch, owner, base, ask } = await withBranch();
    const unknown = await ask("POST", "/api/v1/tasks/hello/trigger", {}, "other");
    expect([unknown.status, unknown.body.code]).toEqual([404, "branch_not_found"]);
    const prod = await ask<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", {}, "other", project.prod);
    expect(prod.status).toBe(200);
    expect(prod.body.id).toContain(project.prodKey);
    const own = (await owner.call<{ key: string }>("POST", `${base}/${branch.slug}/keys`, { name: "ci" }))
      .body.key;
    expect((await ask("GET", "/api/v1/queues", undefined, NAME, own)).status).toBe(200);
    const wrong = await ask("GET", "/api/v1/queues", undefined, "other", own);
    expect([wrong.status, wrong.body.code]).toEqual([400, "wrong_branch"]);
  });

  it("takes no triggers once it is archived, and can still be looked at", async () => {
    const { owner, base, ask } = await withBranch();
    const { id } = (await ask<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", {})).body;
    expect((await owner.call("POST", `${base}/branches/archive`, { branch: NAME })).status).toBe(200);
    const refused = await ask("POST", "/api/v1/tasks/hello/trigger", {});
    expect([refused.status, refused.body.code]).toEqual([409, "branch_archived"]);
    expect((await ask("POST", `/api/v2/runs/${id}/cancel`, {})).status).toBe(409);
    // No list had the run when the branch was archived.
    await vi.waitFor(
      async () =>
        expect(await ask("GET", `/api/v3/runs/${id}`)).toMatchObject({ body: { status: "CANCELED" } }),
      { timeout: 20_000 },
    );
    await owner.call("POST", `${base}/environments`, { type: "branch", branch: NAME });
    expect((await ask("POST", "/api/v1/tasks/hello/trigger", {})).status).toBe(200);
  });
});

it("branches of the preview environment are created, listed and archived with a token of the organization, as in CI", async () => {
  const { project, owner, base, branch } = await withBranch();
  const own = (await owner.call<ProjectEnvironment>("POST", `${base}/environments`, { type: "dev" })).body;
  const ask = <T = ProjectEnvironment & { code: string }>(method: string, path: string, body?: object) =>
    call<T>(method, path, project.accessToken, body);
  const made = await ask("POST", `${base}/environments`, { type: "branch", branch: "ci" });
  expect(made).toMatchObject({ status: 200, body: { branch: "ci", type: "PREVIEW", userId: null } });
  const listed = (await ask<{ data: ProjectEnvironment[] }>("GET", `${base}/environments`)).body.data;
  const ids = listed.map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining([branch.id, made.body.id]));
  // A person's development environment is theirs.
  expect(ids).not.toContain(own.id);
  for (const body of [{ type: "dev" }, { type: "branch", branch: "ci", parent: "dev" }]) {
    const refused = await ask("POST", `${base}/environments`, body);
    expect([refused.status, refused.body.code]).toEqual([403, "person_required"]);
  }
  const archive = () => ask("POST", `${base}/branches/archive`, { branch: "ci" });
  expect(await archive()).toMatchObject({ status: 200, body: { archivedAt: expect.any(String) } });
  const again = await ask("POST", `${base}/environments`, { type: "branch", branch: "ci" });
  expect(again.body).toMatchObject({ id: made.body.id, archivedAt: null });

  const other = await newProject();
  const elsewhere = await ask("POST", `/api/v1/projects/${other.ref}/environments`, { type: "staging" });
  expect([elsewhere.status, elsewhere.body.code]).toEqual([404, "project_not_found"]);
});

describe("a branch of a development environment", () => {
  const withBranch = async () => {
    const project = await newProject();
    const owner = await signIn(anEmail(), { organization: project.ref.slice(5), role: "owner" });
    const base = `/api/v1/projects/${project.ref}`;
    const create = async () =>
      (
        await owner.call<ProjectEnvironment>("POST", `${base}/environments`, {
          type: "branch",
          branch: NAME,
          parent: "dev",
        })
      ).body;
    return { base, branch: await create(), create, owner, project };
  };

  it("is its owner's, beside their own environment", async () => {
    const { base, branch, create, owner } = await withBranch();
    expect(branch).toMatchObject({ type: "DEVELOPMENT", branch: NAME, name: NAME });
    expect(await create()).toEqual(branch);
    const own = (await owner.call<ProjectEnvironment>("POST", `${base}/environments`, { type: "dev" })).body;
    expect(own).toMatchObject({ branch: null, userId: branch.userId });
    expect(branch.slug).toMatch(new RegExp(`^${own.slug}-feat-search-[0-9a-f]{8}$`));
    const key = (await owner.call<{ key: string }>("POST", `${base}/${own.slug}/keys`, {})).body.key;

    // What `acme dev` registers and what is triggered with the branch belongs to the branch alone.
    const header = { "x-trigger-branch": NAME };
    const body = {
      contentHash: "ab".repeat(32),
      bundleBytes: 1,
      manifest: { tasks: [{ id: "hello", filePath: "hello.ts" }] },
    };
    const registered = await call("POST", "/engine/v1/dev/versions", key, body, header);
    expect(registered.status).toBe(201);
    const run = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", key, {}, header);
    expect(run.body.id).toContain(branch.key);
    const tunnel = await call("POST", "/engine/v1/dev/tunnel", key, undefined, header);
    expect(tunnel.body).toMatchObject({ environment: { slug: branch.slug } });
    const waiting = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", key, {});
    expect(waiting.body.id).toContain(own.key);
    expect(await call("GET", `/api/v3/runs/${waiting.body.id}`, key)).toMatchObject({
      body: { status: "PENDING_VERSION" },
    });
    const unknown = await call("POST", "/api/v1/tasks/hello/trigger", key, {}, { "x-trigger-branch": "x" });
    expect(unknown).toMatchObject({ status: 404, body: { code: "branch_not_found" } });
    expect(unknown.body.error).toContain("--env dev");
    // What Trigger.dev's clients send where no branch is meant.
    const itself = await call<{ id: string }>(
      "POST",
      "/api/v1/tasks/hello/trigger",
      key,
      {},
      { "x-trigger-branch": "default" },
    );
    expect(itself.body.id).toContain(own.key);
    const reserved = await owner.call("POST", `${base}/environments`, {
      type: "branch",
      branch: "default",
      parent: "dev",
    });
    expect(reserved).toMatchObject({ status: 400, body: { error: expect.stringContaining("another name") } });
  });

  it("is archived beside one of the same name in the preview environment", async () => {
    const { base, branch, create, owner } = await withBranch();
    const preview = await owner.call<ProjectEnvironment>("POST", `${base}/environments`, {
      type: "branch",
      branch: NAME,
    });
    expect(preview.body.id).not.toBe(branch.id);
    const archived = await owner.call<ProjectEnvironment>("POST", `${base}/branches/archive`, {
      branch: NAME,
      parent: "dev",
    });
    expect(archived.body).toMatchObject({ id: branch.id, archivedAt: expect.any(String) });
    const { body } = await owner.call<{ data: ProjectEnvironment[] }>("GET", `${base}/environments`);
    const open = body.data.filter((each) => each.branch === NAME && each.archivedAt === null);
    expect(open.map(({ id }) => id)).toEqual([preview.body.id]);
    expect(await create()).toMatchObject({ id: branch.id, archivedAt: null });
  });
});
