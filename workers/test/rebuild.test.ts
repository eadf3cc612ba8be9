import { env } from "cloudflare:workers";
import type { AuditEntry, RebuildResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { until } from "../../tests/support/until.ts";
import { DatabaseObject } from "../src/storage/database-object.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { ADMIN_TOKEN, call, deploy, newProject, type Project } from "./client.ts";

const hasObject = env.DB === undefined && env.HYPERDRIVE === undefined;

const admin = <T = Record<string, unknown>>(method: string, path: string, body?: unknown) =>
  call<T>(method, `/admin/v1${path}`, ADMIN_TOKEN, body);

/** Newest first. */
let runIds: string[];
let project: Project;
let slug: string;
beforeAll(async () => {
  project = await newProject();
  slug = project.ref.slice(5);
  await deploy(project, ["hello"]);
  for (let n = 0; n < 5; n++) {
    const options = { delay: "1h", tags: ["kept"] };
    await call("POST", "/api/v1/tasks/hello/trigger", project.prod, { options });
  }
  await until(async () => (await listed()).length === 5, { timeout: 20_000, interval: 50 });
  runIds = await listed();
});

async function listed(): Promise<string[]> {
  const { body } = await call<{ data: { id: string }[] }>(
    "GET",
    "/api/v1/runs?filter[tag]=kept",
    project.prod,
  );
  return body.data.map(({ id }) => id);
}

describe("a rebuild of the query side", () => {
  const rebuild = async (id: string) => {
    const total = { queues: 0, done: 0, runs: 0 };
    for (let after: string | undefined; ; ) {
      const { status, body } = await admin<RebuildResponse>("POST", "/rebuild", {
        id,
        organization: slug,
        after,
      });
      expect(status).toBe(200);
      total.queues += body.queues;
      total.done += body.done;
      total.runs += body.runs;
      if (body.next === undefined) return total;
      after = body.next;
    }
  };
  const complete = (id: string) =>
    until(
      async () => {
        const progress = await rebuild(id);
        return progress.queues > 0 && progress.done === progress.queues && progress;
      },
      { timeout: 20_000, interval: 50 },
    );
  const lose = async () => {
    const connection = openSql(env);
    const { runs, runTags } = connection.tables;
    await connection.atomically([connection.db.delete(runs), connection.db.delete(runTags)]);
  };

  it("restores what was lost, and can be repeated at any time", async () => {
    await lose();
    expect(await listed()).toEqual([]);
    expect((await complete("first")).runs).toBe(5);
    expect(await listed()).toEqual(runIds);
    // Repeating the same one only reports that it is done; another one sends everything again and changes
    // nothing.
    expect((await rebuild("first")).runs).toBe(5);
    await complete("second");
    expect(await listed()).toEqual(runIds);
    const { data } = (await admin<{ data: AuditEntry[] }>("GET", "/audit?action=query_side.rebuilt")).body;
    const ids = data.filter(({ details }) => details.organization === slug).map(({ target }) => target.id);
    expect(ids.sort()).toEqual(["first", "second"]);
  });

  it.runIf(hasObject)("goes on by itself once the database can be reached again", async () => {
    await lose();
    const upsert = vi
      .spyOn(DatabaseObject.prototype, "upsertRuns")
      .mockRejectedValue(new Error("Not reachable"));
    await rebuild("third");
    await until(() => upsert.mock.calls.length > 0);
    expect(await listed()).toEqual([]);
    upsert.mockRestore();
    // Nobody asks for it again: the queue's alarm does.
    await until(async () => (await listed()).length === 5, { timeout: 25_000, interval: 100 });
    expect(await listed()).toEqual(runIds);
  });
});
