import type { AuditEntry, BulkActionResource, QueueItem } from "@acme/sdk/contract/api";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { until } from "../../tests/support/until.ts";
import { DatabaseObject } from "../src/storage/database-object.ts";
import { call, deployTasks, newProject, type Project } from "./client.ts";
import { type SignedIn, signIn } from "./person.ts";

let project: Project;
let owner: SignedIn;
beforeAll(async () => {
  project = await newProject();
  await deployTasks(project, [{ id: "hello" }, { id: "clock", triggerSource: "schedule" }]);
  owner = await signIn(undefined, { organization: project.ref.slice(5) });
});
afterEach(() => vi.restoreAllMocks());

const entries = async (action: string): Promise<AuditEntry[]> =>
  (
    await owner.call<{ data: AuditEntry[] }>(
      "GET",
      `/api/v1/organizations/${project.ref.slice(5)}/audit?action=${action}`,
    )
  ).body.data;

/** The database refuses statements that match, as if the connection to it were lost. */
function losing(statement: RegExp): void {
  const query = DatabaseObject.prototype.query;
  const atomically = DatabaseObject.prototype.queryAtomically;
  vi.spyOn(DatabaseObject.prototype, "query").mockImplementation(async function (
    this: DatabaseObject<unknown>,
    ...[sql, params, method]
  ) {
    if (statement.test(sql)) throw new Error("The connection is lost");
    return query.call(this, sql, params, method);
  });
  vi.spyOn(DatabaseObject.prototype, "queryAtomically").mockImplementation(async function (
    this: DatabaseObject<unknown>,
    statements,
  ) {
    if (statements.some(({ sql }) => statement.test(sql))) throw new Error("The connection is lost");
    return atomically.call(this, statements);
  });
}

const QUEUE = "/api/v1/queues/hello";
const pause = (action: "pause" | "resume") =>
  call("POST", `${QUEUE}/pause`, project.prod, { type: "task", action });
const isPaused = async () => (await call<QueueItem>("GET", `${QUEUE}?type=task`, project.prod)).body.paused;

describe("an operation of an object", () => {
  it("is in the log with the change, its actor and its outcome", async () => {
    const path = `${QUEUE}/concurrency/override`;
    expect((await call("POST", path, project.prod, { type: "task", concurrencyLimit: 7 })).status).toBe(200);
    expect(await entries("queue.limits_overridden")).toMatchObject([
      {
        actor: { type: "key" },
        target: { type: "queue", id: "task/hello" },
        scope: `${project.ref}/prod`,
        details: { concurrencyLimit: 7 },
        outcome: "succeeded",
      },
    ]);
  });

  it("is in the log with the id of what was created, and as failed if it was refused", async () => {
    const schedule = { task: "clock", cron: "0 5 * * *", deduplicationKey: "daily" };
    const { body } = await call<{ id: string }>("POST", "/api/v1/schedules", project.prod, schedule);
    expect(await entries("schedule.created_or_updated")).toMatchObject([
      { target: { id: "daily" }, details: { id: body.id, cron: "0 5 * * *" }, outcome: "succeeded" },
    ]);
    expect((await call("DELETE", "/api/v1/schedules/sched_nobody", project.prod)).status).toBe(404);
    expect(await entries("schedule.deleted")).toMatchObject([
      { target: { id: "sched_nobody" }, details: { code: "schedule_not_found" }, outcome: "failed" },
    ]);
  });

  it("is not performed if it can't be logged first", async () => {
    losing(/insert into "audit_log"/i);
    expect((await pause("pause")).status).toBe(500);
    vi.restoreAllMocks();
    expect(await isPaused()).toBe(false);
    expect(await entries("queue.paused")).toEqual([]);
  });

  it("is in the log with an unknown outcome if the server failed after it", async () => {
    losing(/insert into "audit_outcomes"/i);
    expect((await pause("pause")).status).toBe(200);
    vi.restoreAllMocks();
    expect(await isPaused()).toBe(true);
    expect(await entries("queue.paused")).toMatchObject([{ outcome: "unknown" }]);
    expect((await pause("resume")).status).toBe(200);
    expect(await entries("queue.resumed")).toMatchObject([{ outcome: "succeeded" }]);
  });
});

describe("a bulk action", () => {
  it("is listed and in the log once, even if the first try to write it failed", async () => {
    losing(/insert into "bulk_actions"/i);
    const failed = await call("POST", "/api/v1/bulk-actions", project.prod, {
      action: "cancel",
      runIds: ["run_x"],
    });
    expect(failed.status).toBe(500);
    vi.restoreAllMocks();
    const listed = await until(
      async () => {
        const { body } = await call<{ data: BulkActionResource[] }>(
          "GET",
          "/api/v1/bulk-actions",
          project.prod,
        );
        return body.data[0]?.status === "COMPLETED" && body.data;
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(listed).toMatchObject([{ type: "CANCEL", counts: { total: 1, failure: 1 } }]);
    expect(await entries("bulk_action.cancel")).toMatchObject([
      { target: { id: listed[0]?.id }, outcome: "succeeded" },
    ]);
  });
});
