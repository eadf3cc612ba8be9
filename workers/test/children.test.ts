import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { stubs } from "@acme/durable-objects/routing";
import { LIMITS, newRunId, parseRunId } from "@acme/sdk/contract";
import { OPERATION_HEADER } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { dequeue, finish, report, runTokenOf, start, suspend } from "./host.ts";

let project: Project;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["parent", "child"]);
});

interface Created {
  id: string;
  isCached: boolean;
  code: string;
}

async function newParent(options: Record<string, unknown> = {}) {
  const { body } = await call<Created>("POST", "/api/v1/tasks/parent/trigger", project.prod, { options });
  const run = await start(body.id);
  return { run, runId: body.id, token: runTokenOf(body.id) };
}

const operation = (runId: string, number: number, attempt = 1) => ({
  [OPERATION_HEADER]: `${runId}.${attempt}.${number}`,
});

const triggerChild = (
  parent: { runId: string; token: string },
  number: number,
  options: Record<string, unknown> = {},
  task = "child",
) =>
  call<Created>(
    "POST",
    `/api/v1/tasks/${task}/trigger`,
    parent.token,
    { payload: { number }, options },
    operation(parent.runId, number),
  );

const retrieve = async (id: string) => (await call("GET", `/api/v3/runs/${id}`, project.prod)).body;

describe("a child triggered by an operation", () => {
  it("is one child, however often the call is made", async () => {
    const parent = await newParent();
    const answers = await Promise.all(Array.from({ length: 20 }, () => triggerChild(parent, 0)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const ids = new Set(answers.map(({ body }) => body.id));
    expect(ids.size).toBe(1);
    const next = await triggerChild(parent, 1);
    expect(ids.has(next.body.id)).toBe(false);
    expect(await retrieve(next.body.id)).toMatchObject({
      depth: 1,
      relatedRuns: { parent: { id: parent.runId }, root: { id: parent.runId } },
    });
    const again = await triggerChild(parent, 0, { queue: { name: "another" } });
    expect(ids.has(again.body.id)).toBe(true);
  });

  it("delivers its result to the parent that waits for it", async () => {
    const parent = await newParent();
    const child = await triggerChild(parent, 0, { resumeParentOnCompletion: true });
    expect(await suspend(parent.run, [0])).toEqual({ verdict: "suspended" });
    expect(await retrieve(parent.runId)).toMatchObject({ status: "WAITING" });
    await finish(child.body.id, '{"sum":3}');
    const resumed = await dequeue(parent.runId);
    expect(resumed.resume?.journal).toMatchObject([
      {
        number: 0,
        kind: "run",
        name: "child",
        target: child.body.id,
        result: { ok: true, output: '{"sum":3}', outputType: "application/json" },
      },
    ]);
  });

  it("that had already ended when it is waited for delivers its result at once", async () => {
    const idempotencyKey = `over-${Date.now()}`;
    const early = await call<Created>("POST", "/api/v1/tasks/child/trigger", project.prod, {
      options: { idempotencyKey },
    });
    await finish(early.body.id, '"early"');
    const parent = await newParent();
    const child = await triggerChild(parent, 0, {
      idempotencyKey,
      resumeParentOnCompletion: true,
      queue: { name: "elsewhere" },
    });
    expect(child.body).toMatchObject({ id: early.body.id, isCached: true });
    const verdict = await until(async () => {
      const { run } = parent;
      const answer = (await suspend(run, [0])) as { verdict: string; completed?: { result: unknown }[] };
      // The run was suspended before the child's end arrived: its queue leases it again with the result.
      if (answer.verdict !== "suspended") return answer.completed?.[0]?.result;
      return (await dequeue(parent.runId)).resume?.journal[0]?.result;
    });
    expect(verdict).toMatchObject({ ok: true, output: '"early"' });
  });

  it("can't be created for an attempt that has ended", async () => {
    const parent = await newParent();
    const { token, runId } = parent.run;
    const outcome = { type: "success", output: "1", outputType: "application/json" };
    await report({ completed: [{ runId, token, completedAt: Date.now(), outcome }] });
    const answer = await triggerChild(parent, 0);
    expect(answer).toMatchObject({ status: 401, body: { code: "run_token_ended" } });
    const withKey = await triggerChild({ ...parent, token: project.prod }, 0);
    expect(withKey).toMatchObject({ status: 409, body: { code: "stale_operation" } });
  });

  it("can't be the run itself or one that it is a child of", async () => {
    const parent = await newParent({ idempotencyKey: "ancestor" });
    const key = { idempotencyKey: "ancestor", resumeParentOnCompletion: true };
    const itself = await triggerChild(parent, 0, key, "parent");
    expect(itself).toMatchObject({ status: 409, body: { code: "waits_on_itself" } });
    const child = await triggerChild(parent, 1, { resumeParentOnCompletion: true });
    await start(child.body.id);
    const childCaller = { runId: child.body.id, token: runTokenOf(child.body.id) };
    const upwards = await triggerChild(childCaller, 0, key, "parent");
    expect(upwards).toMatchObject({ status: 409, body: { code: "waits_on_itself" } });
    // Without a wait there is no deadlock.
    const { status, body } = await triggerChild(childCaller, 0, { idempotencyKey: "ancestor" }, "parent");
    expect([status, body.id]).toEqual([200, parent.runId]);
  });

  it("can wait for the run that triggered it and does not wait for it", async () => {
    const idempotencyKey = `not-waiting-${Date.now()}`;
    const parent = await newParent({ idempotencyKey });
    const child = await triggerChild(parent, 0);
    await start(child.body.id);
    const caller = { runId: child.body.id, token: runTokenOf(child.body.id) };
    const answer = await triggerChild(
      caller,
      0,
      { idempotencyKey, resumeParentOnCompletion: true },
      "parent",
    );
    expect(answer).toMatchObject({ status: 200, body: { id: parent.runId } });
  });

  it("can't be waited for at the end of too long a chain of runs that wait", async () => {
    const parent = await newParent();
    const { queueKey, environmentKey } = parseRunId(parent.runId)!;
    // The parent as the last of a chain that is as long as it may be: a task that triggers itself and waits gets there.
    await runInDurableObject(env.QUEUE.getByName(queueKey), (_, { storage }) => {
      storage.sql.exec(
        "UPDATE runs SET spec = json_set(spec, '$.waitDepth', ?) WHERE id = ?",
        LIMITS.waitDepth,
        parent.runId,
      );
    });
    const answer = await triggerChild(parent, 0, { resumeParentOnCompletion: true });
    expect(answer).toMatchObject({ status: 422, body: { code: "wait_chain_too_deep" } });
    const batch = await call<Created>(
      "POST",
      "/api/v3/batches",
      parent.token,
      { runCount: 1, resumeParentOnCompletion: true },
      operation(parent.runId, 1),
    );
    expect(batch).toMatchObject({ status: 422, body: { code: "wait_chain_too_deep" } });
    // A child that it doesn't wait for begins a new chain.
    const child = await triggerChild(parent, 2);
    expect(child.status).toBe(200);
    const { queueKey: childQueue } = parseRunId(child.body.id)!;
    const record = await stubs(env).queue(childQueue).retrieveRun(environmentKey, child.body.id);
    expect(record).toMatchObject({ waitDepth: 0, depth: 1 });
  });

  it("needs an operation of a run of the same environment", async () => {
    const parent = await newParent();
    const send = (header: Record<string, string>, key: string, options = {}) =>
      call<Created>("POST", "/api/v1/tasks/child/trigger", key, { options }, header);
    const other = await newProject();
    await deploy(other, ["child"]);
    expect(await send(operation(parent.runId, 0), other.prod)).toMatchObject({
      status: 404,
      body: { code: "run_not_found" },
    });
    const unknown = newRunId(parent.runId.slice(4, 22));
    expect(await send(operation(unknown, 0), project.prod)).toMatchObject({
      status: 404,
      body: { code: "run_not_found" },
    });
    for (const text of [
      "nonsense",
      `${parent.runId}.0.0`,
      `${parent.runId}.1`,
      `${parent.runId}.1.-1`,
      "run_1.1.1",
    ]) {
      expect(await send({ [OPERATION_HEADER]: text }, project.prod), text).toMatchObject({
        status: 400,
        body: { code: "invalid_operation" },
      });
    }
    expect(await send({}, project.prod, { resumeParentOnCompletion: true })).toMatchObject({
      status: 400,
      body: { code: "operation_missing" },
    });
  });

  it("that is refused claims nothing, so the operation can be repeated", async () => {
    const parent = await newParent();
    expect((await triggerChild(parent, 0, {}, "nope")).status).toBe(404);
    expect((await triggerChild(parent, 0)).status).toBe(200);
  });
});

describe("an output too large to be sent inline", () => {
  it("reaches code in a run by its URL", async () => {
    const payload = { text: "ä".repeat(100_000) };
    const { body } = await call<Created>("POST", "/api/v1/tasks/child/trigger", project.prod, { payload });
    const run = await dequeue(body.id);
    expect(run.payloadType).toBe("application/store");
    const path = `/api/v1/packets/${encodeURIComponent(run.payload ?? "")}`;
    const { presignedUrl } = (await call<{ presignedUrl: string }>("GET", path, runTokenOf(body.id))).body;
    const url = new URL(presignedUrl);
    expect((await call("GET", `${url.pathname}${url.search}`, null)).body).toEqual(payload);

    expect((await call("GET", path, project.dev)).status).toBe(404);
    expect((await call("GET", `${path}x.json`, project.prod)).status).toBe(404);
    url.searchParams.set("expires", "9999999999999");
    expect(await call("GET", `${url.pathname}${url.search}`, null)).toMatchObject({
      status: 403,
      body: { code: "invalid_address" },
    });
  });
});
