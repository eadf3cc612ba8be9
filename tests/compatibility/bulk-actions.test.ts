import { auth, configure, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { task } from "@trigger.dev/sdk";
export const echo = task({ id: "echo", run: async (payload: unknown) => payload });
`;

/** Bulk actions through the published client of Trigger.dev. */
describe("runs.bulk by @trigger.dev/sdk 4.8.3", () => {
  let server: LocalServer;

  beforeAll(async () => {
    server = await startLocalServer({ example: false });
    await deployTaskFile(server, TASKS);
    configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
  });
  afterAll(() => server?.stop());

  const tagged = async (tag: string) => {
    const ids: string[] = [];
    for await (const run of runs.list({ tag })) ids.push(run.id);
    return ids;
  };

  it("cancels by filter, and polls until it has ended", async () => {
    for (let n = 0; n < 5; n++) await tasks.trigger("echo", { n }, { delay: "1h", tags: ["later"] });
    await eventually("all are listed", async () => (await tagged("later")).length === 5);
    const { id } = await runs.bulk.cancel({ filter: { tag: "later" }, name: "Clean up" });
    const action = await runs.bulk.poll(id, { pollIntervalMs: 100 });
    expect(action).toMatchObject({
      id,
      name: "Clean up",
      type: "CANCEL",
      status: "COMPLETED",
      counts: { total: 5, success: 5, failure: 0 },
    });
    expect(action.completedAt).toBeInstanceOf(Date);
    const canceled = async () => (await runs.list({ bulkAction: id, status: "CANCELED" })).data;
    await eventually("what it canceled is listed", async () => (await canceled()).length === 5);
  });

  it("replays runs by their ids", async () => {
    const { id: runId } = await tasks.trigger("echo", { text: "日本" }, { tags: ["again"] });
    await runs.poll(runId, { pollIntervalMs: 50 });
    const { id } = await runs.bulk.replay({ runIds: [runId] });
    const action = await runs.bulk.poll(id, { pollIntervalMs: 100 });
    expect(action.counts).toEqual({ total: 1, success: 1, failure: 0 });
    await eventually("the copy is listed", async () => (await tagged("again")).length === 2);
    for (const each of await tagged("again")) {
      expect((await runs.poll(each, { pollIntervalMs: 50 })).output).toEqual({ text: "日本" });
    }
  });

  it("lists the runs of a project, by a personal access token", async () => {
    const listed = await auth.withAuth({ accessToken: server.accessToken }, async () => {
      const ids: string[] = [];
      const found = runs.list(server.projectRef, { env: ["dev", "prod"], tag: "again", limit: 1 });
      for await (const run of found) ids.push(`${run.env.name} ${run.id}`);
      return ids;
    });
    expect(listed).toEqual((await tagged("again")).map((id) => `prod ${id}`));
    expect(listed.length).toBeGreaterThan(1);
  });

  it("lists, retrieves and aborts", async () => {
    const [newest, older] = (await runs.bulk.list({ limit: 2 })).data;
    expect([newest?.type, older?.type]).toEqual(["REPLAY", "CANCEL"]);
    const retrieved = await runs.bulk.retrieve(newest?.id ?? "");
    expect(retrieved).toMatchObject({ id: newest?.id, status: "COMPLETED" });
    expect(await runs.bulk.abort(retrieved.id)).toEqual({ id: retrieved.id });
    await expect(runs.bulk.retrieve("bulk_nothing")).rejects.toMatchObject({ status: 404 });
    const unknown = runs.bulk.cancel({ filter: { period: "yesterday" } });
    await expect(unknown).rejects.toMatchObject({ status: 400 });
  });
});
