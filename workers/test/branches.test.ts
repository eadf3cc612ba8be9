import { randomBase36 } from "@acme/sdk/contract";
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
    expect((await ask("GET", `/api/v3/runs/${id}`)).status).toBe(200);
    await owner.call("POST", `${base}/environments`, { type: "branch", branch: NAME });
    expect((await ask("POST", "/api/v1/tasks/hello/trigger", {})).status).toBe(200);
  });
});
