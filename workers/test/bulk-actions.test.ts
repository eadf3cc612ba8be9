import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { randomBase36 } from "@acme/sdk/contract";
import type { BulkActionResource } from "@acme/sdk/contract/api";
import { describe, expect, it, vi } from "vitest";
import { call, deploy, newProject, type Project } from "./client.ts";

const PATH = "/api/v1/bulk-actions";
type Created = { id: string; code: string };

async function withRuns(count: number, tag: string): Promise<{ project: Project; runIds: string[] }> {
  const project = await newProject();
  await deploy(project, ["hello"]);
  const runIds: string[] = [];
  for (let n = 0; n < count; n++) {
    const body = { payload: JSON.stringify({ n, text: "日本" }), options: { tags: [tag] } };
    const { body: run } = await call<{ id: string }>(
      "POST",
      "/api/v1/tasks/hello/trigger",
      project.prod,
      body,
    );
    runIds.push(run.id);
  }
  await vi.waitFor(async () => expect(await statuses(project, tag)).toHaveLength(count), { timeout: 20_000 });
  return { project, runIds };
}

const statuses = async (project: Project, tag: string) =>
  (
    await call<{ data: { id: string; status: string }[] }>(
      "GET",
      `/api/v1/runs?filter[tag]=${tag}&page[size]=100`,
      project.prod,
    )
  ).body.data.map(({ status }) => status);

const create = (project: Project, body: object) => call<Created>("POST", PATH, project.prod, body);
const retrieve = async (project: Project, id: string) =>
  (await call<BulkActionResource>("GET", `${PATH}/${id}`, project.prod)).body;
const ended = (project: Project, id: string) =>
  vi.waitFor(
    async () => {
      const action = await retrieve(project, id);
      expect(action.status).not.toBe("PENDING");
      return action;
    },
    { timeout: 20_000 },
  );

describe("bulk actions", () => {
  it("cancel all runs that match, in several steps", async () => {
    const { project } = await withRuns(60, "many");
    const created = await create(project, { action: "cancel", filter: { tag: "many" }, name: "Clean up" });
    expect(created.status).toBe(202);
    expect(await ended(project, created.body.id)).toMatchObject({
      name: "Clean up",
      type: "CANCEL",
      status: "COMPLETED",
      counts: { total: 60, success: 60, failure: 0 },
      completedAt: expect.any(String),
      failures: [],
    });
    await vi.waitFor(
      async () => expect(new Set(await statuses(project, "many"))).toEqual(new Set(["CANCELED"])),
      { timeout: 20_000 },
    );
  });

  it("replay given runs, each once, and report the runs that they could not replay", async () => {
    const { project, runIds } = await withRuns(3, "again");
    const other = await withRuns(1, "other");
    const ids = [...runIds, runIds[0], other.runIds[0], "run_nothing"];
    const created = await create(project, { action: "replay", runIds: ids });
    const action = await ended(project, created.body.id);
    expect(action.counts).toEqual({ total: 5, success: 3, failure: 2 });
    expect(action.failures.map(({ runId }) => runId)).toEqual([other.runIds[0], "run_nothing"]);
    await vi.waitFor(async () => expect(await statuses(project, "again")).toHaveLength(6), {
      timeout: 20_000,
    });
  });

  it("find by their id the runs that they canceled and the copies that they made", async () => {
    const { project, runIds } = await withRuns(3, "found");
    const found = async (id: string, more = "") =>
      (
        await call<{ data: { id: string; status: string }[] }>(
          "GET",
          `/api/v1/runs?filter%5BbulkAction%5D=${id}${more}`,
          project.prod,
        )
      ).body.data;
    const replay = (await create(project, { action: "replay", runIds: runIds.slice(0, 2) })).body.id;
    await ended(project, replay);
    await vi.waitFor(async () => expect(await found(replay)).toHaveLength(2), { timeout: 20_000 });
    const copies = (await found(replay)).map(({ id }) => id);
    expect(copies.filter((id) => runIds.includes(id))).toEqual([]);

    // A filter may name a bulk action too. A run then belongs to both.
    const cancel = (await create(project, { action: "cancel", filter: { bulkAction: replay } })).body.id;
    expect((await ended(project, cancel)).counts).toEqual({ total: 2, success: 2, failure: 0 });
    await vi.waitFor(async () => expect(await found(cancel)).toHaveLength(2), { timeout: 20_000 });
    expect((await found(cancel)).map(({ id, status }) => [id, status])).toEqual(
      copies.map((id) => [id, "CANCELED"]),
    );
    expect((await found(replay)).map(({ id }) => id)).toEqual(copies);
    expect(await found(cancel, "&filter%5Bstatus%5D=COMPLETED")).toEqual([]);
    expect(await found("bulk_nothing")).toEqual([]);
  });

  it("don't process runs that they created themselves", async () => {
    const { project } = await withRuns(30, "loop");
    const created = await create(project, { action: "replay", filter: { tag: "loop" } });
    expect((await ended(project, created.body.id)).counts).toEqual({ total: 30, success: 30, failure: 0 });
    await vi.waitFor(async () => expect(await statuses(project, "loop")).toHaveLength(60), {
      timeout: 20_000,
    });
  });

  /** Triggers three runs that start later, and sends the action as soon as they are acknowledged. */
  async function atOnce(body: (tag: string) => object, options: object = {}, deployed = true) {
    const project = await newProject();
    if (deployed) await deploy(project, ["hello"]);
    const tag = randomBase36(8);
    const trigger = (n: number) =>
      call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {
        payload: JSON.stringify({ n }),
        options: { tags: [tag], delay: "1h", ...options },
      });
    const runs = await Promise.all([1, 2, 3].map(trigger));
    expect(runs.map(({ status }) => status)).toEqual([200, 200, 200]);
    const created = await create(project, body(tag));
    expect(created.status).toBe(202);
    return { project, tag, id: created.body.id };
  }

  it("find runs by a filter that were triggered just before, which no list shows yet", async () => {
    const cases = [
      atOnce((tag) => ({ action: "cancel", filter: { tag } })),
      atOnce(() => ({ action: "cancel", filter: { taskIdentifier: "hello" } })),
      atOnce(() => ({ action: "cancel", filter: { status: "DELAYED" } })),
      // A queue that nothing declares, and one of an environment without a deployment.
      atOnce((tag) => ({ action: "cancel", filter: { tag } }), { queue: { name: "new" } }),
      atOnce(() => ({ action: "cancel", filter: { status: "DELAYED" } }), {}, false),
      atOnce((tag) => ({ action: "replay", filter: { tag } })),
    ];
    for (const each of cases) {
      const { project, id } = await each;
      const { status, counts } = await ended(project, id);
      expect({ status, counts }).toEqual({
        status: "COMPLETED",
        counts: { total: 3, success: 3, failure: 0 },
      });
    }
    const { project, tag } = await (cases.at(-1) as (typeof cases)[number]);
    await vi.waitFor(async () => expect(await statuses(project, tag)).toHaveLength(6), { timeout: 20_000 });
  });

  it("wait for a queue that can't send its changes, and leave it out in the end", async () => {
    const { QueueObject } = await import("../src/index.ts");
    const { sendChanges } = QueueObject.prototype;
    let isBroken = true;
    const broken: string[] = [];
    const spy = vi.spyOn(QueueObject.prototype, "sendChanges").mockImplementation(async function (
      this: InstanceType<typeof QueueObject>,
      environmentKey,
    ) {
      if (isBroken && broken.includes(environmentKey)) throw new Error("This queue is broken");
      return sendChanges.call(this, environmentKey);
    });
    try {
      const project = await newProject();
      broken.push(project.prodKey);
      await deploy(project, ["hello"]);
      const trigger = async () => {
        const body = { options: { delay: "1h" } };
        const { status } = await call("POST", "/api/v1/tasks/hello/trigger", project.prod, body);
        expect(status).toBe(200);
      };
      const cancel = async () =>
        (await create(project, { action: "cancel", filter: { taskIdentifier: "hello" } })).body.id;
      // Tries again at once.
      const endedSoon = (id: string) =>
        vi.waitFor(
          async () => {
            await runInDurableObject(env.BULK_ACTION.getByName(id), (_, { storage }) =>
              storage.setAlarm(Date.now()),
            );
            const action = await retrieve(project, id);
            expect(action.status).not.toBe("PENDING");
            return action;
          },
          { timeout: 20_000 },
        );
      await trigger();
      const waiting = await cancel();
      await vi.waitFor(() =>
        expect(spy.mock.settledResults.some(({ type }) => type === "rejected")).toBe(true),
      );
      expect(await retrieve(project, waiting)).toMatchObject({ status: "PENDING", counts: { success: 0 } });
      isBroken = false;
      expect((await endedSoon(waiting)).counts).toEqual({ total: 1, success: 1, failure: 0 });

      isBroken = true;
      await trigger();
      const { status, failures } = await endedSoon(await cancel());
      expect(status).toBe("COMPLETED");
      expect(failures).toEqual([{ runId: "", error: expect.stringContaining("One queue") }]);
    } finally {
      spy.mockRestore();
    }
  });

  it("are aborted, and completed steps are kept", async () => {
    const { project } = await withRuns(30, "stop");
    const created = await create(project, { action: "cancel", filter: { tag: "stop" } });
    const { id } = created.body;
    expect((await call("POST", `${PATH}/${id}/abort`, project.prod)).status).toBe(200);
    const action = await ended(project, id);
    expect(["ABORTED", "COMPLETED"]).toContain(action.status);
    expect(action.counts.success).toBeLessThanOrEqual(30);
    expect((await call("POST", `${PATH}/${id}/abort`, project.prod)).status).toBe(200);
    expect((await retrieve(project, id)).status).toBe(action.status);
  });

  it("are listed, newest first, by cursor, for their environment only", async () => {
    const { project, runIds } = await withRuns(1, "list");
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.unshift((await create(project, { action: "cancel", runIds })).body.id);
    type Page = { data: BulkActionResource[]; pagination: { next?: string; previous?: string } };
    const page = async (query: string) => (await call<Page>("GET", `${PATH}?${query}`, project.prod)).body;
    const first = await page("page[size]=2");
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await page(`page[size]=2&page[after]=${first.pagination.next}`);
    expect(second.data.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(second.pagination.next).toBeUndefined();
    const back = await page(`page[size]=2&page[before]=${second.pagination.previous}`);
    expect(back.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect((await call("GET", `${PATH}/${ids[0]}`, project.dev)).status).toBe(404);
    expect((await call<Page>("GET", PATH, project.dev)).body.data).toEqual([]);
  });

  it("refuse invalid requests, and change nothing", async () => {
    const project = await newProject();
    const refused = async (body: object) => expect((await create(project, body)).status).toBe(400);
    await refused({ action: "cancel" });
    await refused({ action: "cancel", filter: {} });
    await refused({ action: "cancel", filter: { tag: "a" }, runIds: ["run_x"] });
    await refused({ action: "delete", filter: { tag: "a" } });
    await refused({ action: "cancel", filter: { status: "NONSENSE" } });
    await refused({ action: "cancel", filter: { period: "yesterday" } });
    expect((await call<{ data: unknown[] }>("GET", PATH, project.prod)).body.data).toEqual([]);
  });
});
