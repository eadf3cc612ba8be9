import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { AuditEntry, DeletedProject, ProjectDeletionCounts } from "@acme/sdk/contract/api";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import { until } from "../../tests/support/until.ts";
import { ownerOf } from "../src/objects.ts";
import { openBlobs } from "../src/storage/blobs.ts";
import { DatabaseObject } from "../src/storage/database-object.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { call, deployTasks, newProject, type Project } from "./client.ts";
import { type SignedIn, signIn } from "./person.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Creates a project with data of every kind. */
async function aProject(): Promise<{ project: Project; owner: SignedIn; path: string; runIds: string[] }> {
  const project = await newProject();
  const owner = await signIn(undefined, { organization: project.ref.slice(5) });
  await deployTasks(project, [
    { id: "hello" },
    { id: "clock", triggerSource: "schedule", schedule: { cron: "0 3 * * *" } },
  ]);
  const schedule = { task: "clock", cron: "0 5 * * *", deduplicationKey: "daily" };
  expect((await call("POST", "/api/v1/schedules", project.prod, schedule)).status).toBe(200);
  const variable = { name: "A", value: "b" };
  const path = `/api/v1/projects/${project.ref}`;
  expect((await call("POST", `${path}/envvars/prod`, project.prod, variable)).status).toBe(200);
  const runIds: string[] = [];
  for (let n = 0; n < 3; n++) {
    // One payload is too large for a row: it is a blob.
    const body = { payload: n === 0 ? "x".repeat(200_000) : "x", options: { delay: "1h", tags: ["t"] } };
    const { body: run } = await call<{ id: string }>(
      "POST",
      "/api/v1/tasks/hello/trigger",
      project.prod,
      body,
    );
    runIds.push(run.id);
  }
  await until(
    async () => (await call<{ data: unknown[] }>("GET", "/api/v1/runs", project.prod)).body.data.length === 3,
    { timeout: 20_000, interval: 50 },
  );
  return { project, owner, path, runIds };
}

async function projectIdOf({ ref }: Project): Promise<string> {
  const { db, tables } = openSql(env);
  const rows = await db.select().from(tables.projects);
  return rows.find((row) => row.ref === ref)?.id ?? "";
}

const auditOf = async (owner: SignedIn, project: Project) =>
  (
    await owner.call<{ data: AuditEntry[] }>(
      "GET",
      `/api/v1/organizations/${project.ref.slice(5)}/audit?page[size]=100`,
    )
  ).body.data;

const statusOf = async (project: Project, runId: string) =>
  (await ownerOf(env, project.prodKey, runId).retrieveRun(project.prodKey, runId))?.status;

async function rowsOf({ prodKey }: Project) {
  const { db, tables } = openSql(env);
  const [runs, tags] = await Promise.all([db.select().from(tables.runs), db.select().from(tables.runTags)]);
  return [...runs, ...tags].filter((row) => row.environmentKey === prodKey).length;
}

describe("a project", () => {
  it("says what would be deleted with it", async () => {
    const { owner, path, project } = await aProject();
    const { body } = await owner.call<ProjectDeletionCounts>("GET", `${path}/deletion`);
    expect(body).toEqual({
      ref: project.ref,
      name: project.ref.slice(5),
      environments: ["dev", "prod"],
      apiKeys: 2,
      variables: 1,
      deployments: 1,
      schedules: 2,
      runs: 3,
      unfinishedRuns: 3,
    });
    expect((await owner.call("GET", `${path}/prod`)).status).toBe(200);
  });

  it("is gone at once when it is deleted, and its data soon after", async () => {
    const { owner, path, project, runIds } = await aProject();
    const stub = env.DELETION.getByName(await projectIdOf(project));
    const deleted = await owner.call<z.output<typeof DeletedProject>>("DELETE", path);
    expect(deleted).toMatchObject({
      status: 200,
      body: { environments: ["dev", "prod"], apiKeysRevoked: 2, variablesDeleted: 1 },
    });
    expect((await owner.call("DELETE", path)).status).toBe(404);
    expect((await call("GET", "/api/v1/runs", project.prod)).status).toBe(401);
    for (const runId of runIds)
      await until(async () => (await statusOf(project, runId)) === "CANCELED", {
        timeout: 20_000,
        interval: 50,
      });
    // Once no cached key can trigger anything any more, the rest is deleted.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 100_000 });
    await until(
      async () => {
        await runDurableObjectAlarm(stub);
        return (await auditOf(owner, project)).some(({ action }) => action === "project.deletion_completed");
      },
      { timeout: 20_000, interval: 50 },
    );
    expect(await rowsOf(project)).toBe(0);
    expect(await openBlobs(env).deleteUnder(`packets/${project.prodKey}`)).toBe(true);
    const entries = (await auditOf(owner, project)).filter(({ action }) =>
      action.startsWith("project.delet"),
    );
    expect(entries).toMatchObject([
      { action: "project.deletion_completed", details: { runsCanceled: 3, schedulesDeleted: 2 } },
      { action: "project.deleted", actor: { name: owner.email } },
    ]);
  });

  it("is deleted even if the database failed in the middle of it", async () => {
    const { owner, path, project, runIds } = await aProject();
    const stub = env.DELETION.getByName(await projectIdOf(project));
    vi.spyOn(DatabaseObject.prototype, "queryAtomically").mockRejectedValue(
      new Error("The connection is lost"),
    );
    expect((await owner.call("DELETE", path)).status).toBe(500);
    vi.restoreAllMocks();
    expect((await owner.call("GET", `${path}/prod`)).status).toBe(200);
    expect(await statusOf(project, runIds[0] ?? "")).toBe("DELAYED");
    // Nobody repeats the request: the object's alarm continues the deletion.
    await runDurableObjectAlarm(stub);
    await until(async () => (await statusOf(project, runIds[0] ?? "")) === "CANCELED", {
      timeout: 20_000,
      interval: 50,
    });
    const entries = await auditOf(owner, project);
    expect(entries.filter(({ action }) => action === "project.deleted")).toHaveLength(1);
  });
});
