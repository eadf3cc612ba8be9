import { env } from "cloudflare:workers";
import type { AuditEntry, ProjectEnvironment, VariableObject } from "@acme/sdk/contract/api";
import { describe, expect, it } from "vitest";
import { rewrapAll } from "../src/control/sealing.ts";
import { openVariables } from "../src/control/variables.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { ADMIN_TOKEN, call, newProject, type Project } from "./client.ts";
import { anEmail, signIn } from "./person.ts";

const pathOf = ({ ref }: Project, slug = "prod") => `/api/v1/projects/${ref}/envvars/${slug}`;
const list = async (project: Project, slug?: string) =>
  (await call<VariableObject[]>("GET", pathOf(project, slug), project.accessToken)).body;
const set = (project: Project, body: object, slug?: string) =>
  call("POST", pathOf(project, slug), project.accessToken, body);
const opened = (environmentKey: string) => openVariables(env, openSql(env), environmentKey);
const pairs = (variables: VariableObject[]) => variables.map(({ name, value }) => [name, value]);

describe("environment variables", () => {
  it("are set, listed, changed and deleted", async () => {
    const project = await newProject();
    expect(await set(project, { name: "A", value: "1" })).toMatchObject({
      status: 200,
      body: { success: true, changed: ["A"] },
    });
    await set(project, { name: "B", value: 'two\nlines = "ü"' });
    expect(pairs(await list(project))).toEqual([
      ["A", "1"],
      ["B", 'two\nlines = "ü"'],
    ]);
    const one = `${pathOf(project)}/A`;
    expect((await call("PUT", one, project.accessToken, { value: "" })).status).toBe(200);
    expect((await call("GET", one, project.accessToken)).body).toMatchObject({ name: "A", value: "" });
    expect((await call("DELETE", one, project.accessToken)).status).toBe(200);
    for (const method of ["GET", "PUT", "DELETE"]) {
      const body = method === "PUT" ? { value: "x" } : undefined;
      expect(await call(method, one, project.accessToken, body)).toMatchObject({
        status: 404,
        body: { code: "variable_not_found" },
      });
    }
    expect(await list(project, "dev")).toEqual([]);
  });

  it("that are secret are never shown, and stay secret", async () => {
    const project = await newProject();
    await set(project, { name: "TOKEN", value: "hush-hush", isSecret: true });
    await set(project, { name: "TOKEN", value: "hush-hush-2", isSecret: false });
    const answer = await call("GET", pathOf(project), project.prod);
    expect(answer.body).toMatchObject([{ name: "TOKEN", value: "<redacted>", isSecret: true }]);
    expect(JSON.stringify(answer.body)).not.toContain("hush");
    expect(await opened(project.prodKey)).toEqual({
      env: { TOKEN: "hush-hush-2" },
      secretNames: ["TOKEN"],
    });
  });

  it("are sealed in the database", async () => {
    const project = await newProject();
    await set(project, { name: "A", value: "findable-value" });
    const { db, tables } = openSql(env);
    const rows = await db.select().from(tables.variables);
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain("findable-value");
    // Moved to another environment or name, it can't be decrypted.
    const row = rows.find(({ environmentKey }) => environmentKey === project.prodKey);
    if (!row) throw new Error("no row");
    await db.insert(tables.variables).values({ ...row, environmentKey: project.devKey });
    await expect(opened(project.devKey)).rejects.toThrow();
  });

  it("are imported all or none, and keep existing values unless the request overrides them", async () => {
    const project = await newProject();
    await set(project, { name: "A", value: "old" });
    const load = (body: object) => call("POST", `${pathOf(project)}/import`, project.prod, body);
    expect((await load({ variables: { A: "new", B: "2" } })).body).toMatchObject({ changed: ["B"] });
    expect(pairs(await list(project))).toEqual([
      ["A", "old"],
      ["B", "2"],
    ]);
    expect((await load({ variables: { A: "new" }, override: true })).body).toMatchObject({ changed: ["A"] });
    const wrong = await load({ variables: { C: "3", "not a name": "x" }, override: true });
    expect(wrong.status).toBe(400);
    expect(pairs(await list(project))).toEqual([
      ["A", "new"],
      ["B", "2"],
    ]);
  });

  it("have limits, and names of their own", async () => {
    const project = await newProject();
    const refused = async (body: object, status: number) =>
      expect((await set(project, body)).status).toBe(status);
    await refused({ name: "1A", value: "" }, 400);
    await refused({ name: "A-B", value: "" }, 400);
    await refused({ name: "TRIGGER_SECRET_KEY", value: "" }, 400);
    await refused({ name: "A", value: "x".repeat(32 * 1024 + 1) }, 400);
    await refused({ name: "A", value: "a\0b" }, 400);
    await refused({ name: "A" }, 400);
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`V${n}`, "x".repeat(32_000)]));
    const large = await call("POST", `${pathOf(project)}/import`, project.prod, { variables: many });
    expect(large).toMatchObject({ status: 413, body: { code: "variables_too_large" } });
    expect(await list(project)).toEqual([]);
  });

  it("of a member's development environment and its branches are those of the shared one, and their own in their place", async () => {
    const project = await newProject();
    const developer = await signIn(anEmail(), { organization: project.ref.slice(5), role: "developer" });
    const create = async (body: object) =>
      (await developer.call<ProjectEnvironment>("POST", `/api/v1/projects/${project.ref}/environments`, body))
        .body;
    const own = await create({ type: "dev" });
    const branch = await create({ type: "branch", parent: "dev", branch: "feature" });
    const put = async (slug: string, variables: Record<string, string>) =>
      expect((await developer.call("POST", `${pathOf(project, slug)}/import`, { variables })).status).toBe(
        200,
      );
    await put("dev", { A: "shared", B: "shared", C: "shared" });
    await put(own.slug, { B: "own", C: "own" });
    await put(branch.slug, { C: "branch" });
    const { env } = await opened(own.key);
    expect(env).toEqual({ A: "shared", B: "own", C: "own" });
    expect((await opened(branch.key)).env).toEqual({ A: "shared", B: "own", C: "branch" });
    expect(pairs(await list(project, "dev"))).toEqual([
      ["A", "shared"],
      ["B", "shared"],
      ["C", "shared"],
    ]);
  });

  it("of a branch are its parent's, and its own in their place", async () => {
    const project = await newProject();
    const owner = await signIn(anEmail(), { organization: project.ref.slice(5) });
    const made = await owner.call<ProjectEnvironment>(
      "POST",
      `/api/v1/projects/${project.ref}/environments`,
      { type: "branch", branch: "feature" },
    );
    const branch = made.body;
    await set(project, { name: "SHARED", value: "parent" }, "preview");
    const load = await call("POST", `${pathOf(project, branch.slug)}/import`, project.accessToken, {
      variables: { OWN: "1" },
      parentVariables: { ALSO: "parent" },
    });
    expect(load.body).toMatchObject({ changed: ["ALSO", "OWN"] });
    await set(project, { name: "SHARED", value: "branch" }, branch.slug);
    expect((await list(project, branch.slug)).map((each) => [each.name, each.value, each.inherited])).toEqual(
      [
        ["ALSO", "parent", true],
        ["OWN", "1", false],
        ["SHARED", "branch", false],
      ],
    );
    await call("DELETE", `${pathOf(project, branch.slug)}/SHARED`, project.accessToken);
    expect((await opened(branch.key)).env).toEqual({ ALSO: "parent", OWN: "1", SHARED: "parent" });
    const noBranch = await call("POST", `${pathOf(project)}/import`, project.prod, {
      variables: { A: "1" },
      parentVariables: { B: "2" },
    });
    expect(noBranch).toMatchObject({ status: 400, body: { code: "no_parent_environment" } });
    expect(await list(project)).toEqual([]);
  });

  it("are another environment's only for its own key", async () => {
    const [project, other] = [await newProject(), await newProject()];
    const answers = await Promise.all([
      call("GET", pathOf(project, "dev"), project.prod),
      call("GET", pathOf(other), project.prod),
      call("GET", pathOf(other), project.accessToken),
    ]);
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
      Array.from({ length: 3 }, () => [404, "environment_not_found"]),
    );
  });

  it("can be read while their organization's key is rotated, and after", async () => {
    const project = await newProject();
    const organization = project.ref.slice(5);
    const owner = await signIn(anEmail(), { organization });
    const variables = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`V${n}`, `value ${n}`]));
    await call("POST", `${pathOf(project)}/import`, project.prod, { variables });
    const rotate = () => owner.call("POST", `/api/v1/organizations/${organization}/encryption/rotate`);
    const [rotated, ...reads] = await Promise.all([
      rotate(),
      ...Array.from({ length: 10 }, () => opened(project.prodKey)),
      set(project, { name: "V0", value: "meanwhile" }),
    ]);
    expect(rotated).toMatchObject({ status: 200, body: { number: 2 } });
    for (const read of reads.slice(0, 10))
      expect(Object.keys((read as { env: object }).env)).toHaveLength(20);
    expect(await rotate()).toMatchObject({ status: 200, body: { number: 3, variables: 20 } });
    expect((await opened(project.prodKey)).env).toEqual({ ...variables, V0: "meanwhile" });
    const { db, tables } = openSql(env);
    const rows = await db.select().from(tables.variables);
    const ids = new Set(
      rows.filter(({ environmentKey }) => environmentKey === project.prodKey).map(({ keyId }) => keyId),
    );
    expect(ids.size).toBe(1);
  });

  it("outlive a change of the server's encryption key", async () => {
    const project = await newProject();
    await set(project, { name: "A", value: "1" });
    const rewrap = () => call("POST", "/admin/v1/encryption/rewrap", ADMIN_TOKEN, {});
    expect((await rewrap()).body).toEqual({ keys: 0 });
    const [old, fresh] = ["k1:encryption-key-of-the-tests", "k2:another-key-of-the-tests"];
    const { db, tables } = openSql(env);
    const wrapped = async () => (await db.select().from(tables.organizationKeys)).map((row) => row.wrapped);
    expect(await rewrapAll({ ENCRYPTION_KEYS: `${fresh},${old}` }, openSql(env))).toBeGreaterThan(0);
    for (const text of await wrapped()) expect(text).toMatch(/^k2:/);
    // Only a server with the new key can wrap them with another key again.
    expect(await rewrapAll({ ENCRYPTION_KEYS: old }, openSql(env))).toBe(0);
    expect(await rewrapAll({ ENCRYPTION_KEYS: `${old},${fresh}` }, openSql(env))).toBeGreaterThan(0);
    for (const text of await wrapped()) expect(text).toMatch(/^k1:/);
    expect((await opened(project.prodKey)).env).toEqual({ A: "1" });
  });

  it("are refused by a server without an encryption key, with a message for its operator", async () => {
    await expect(rewrapAll({}, openSql(env))).rejects.toMatchObject({
      status: 503,
      code: "encryption_not_configured",
    });
  });

  it("have a log of who changed which, without values", async () => {
    const project = await newProject();
    const organization = project.ref.slice(5);
    const owner = await signIn(anEmail(), { organization });
    await set(project, { name: "A", value: "whispered", isSecret: true });
    await owner.call("DELETE", `${pathOf(project)}/A`);
    const { body } = await owner.call<{ data: AuditEntry[] }>(
      "GET",
      `/api/v1/organizations/${organization}/audit`,
    );
    const entries = body.data.filter(({ action }) => action.startsWith("variables."));
    expect(entries.map(({ action, actor, scope, details }) => [action, actor.type, scope, details])).toEqual([
      ["variables.deleted", "user", `${project.ref}/prod`, { names: ["A"] }],
      ["variables.set", "access_token", `${project.ref}/prod`, { names: ["A"], count: 1 }],
    ]);
    expect(JSON.stringify(body)).not.toContain("whispered");
  });
});
