import { internalError, type JournalEntry } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import { loseSession } from "../src/queue/attempts.ts";
import { withCore } from "./core-scene.ts";
import { Scene } from "./scene.ts";

/** More than workerd's SQLite stores in one row. On Cloudflare that is 2 MB. */
const TOO_BIG = "x".repeat(12 * 1024 * 1024);

const report = (scene: Scene, parts: object) => ({
  hostId: scene.hostId,
  sessionId: `${scene.hostId}-session-1`,
  started: [],
  completed: [],
  heartbeats: [],
  journals: [],
  suspensions: [],
  checkpoints: [],
  ...parts,
});
const lease = ({ runId, token }: { runId: string; token: number }) => ({ runId, token });
const success = (run: { runId: string; token: number }, output: string) => ({
  ...lease(run),
  completedAt: Date.now(),
  outcome: { type: "success" as const, output, outputType: "application/json" },
});

describe("a report with an item that can't be stored", () => {
  it("fails that item's run with the reason, and applies the others", async () => {
    const scene = await new Scene().deploy();
    await Promise.all([scene.trigger(), scene.trigger(), scene.trigger()]);
    const [bad, good, other] = await scene.pollAll();
    const verdicts = await scene.queue.applyReports(
      report(scene, {
        started: [{ ...lease(other!), startedAt: Date.now() }],
        completed: [success(bad!, TOO_BIG), success(good!, '"fine"')],
        heartbeats: [lease(other!)],
      }),
    );
    expect(verdicts).toMatchObject({ started: ["ok"], completed: ["ok", "ok"], heartbeats: ["ok"] });
    expect(await scene.run(bad!.runId)).toMatchObject({
      status: "SYSTEM_FAILURE",
      error: {
        type: "INTERNAL_ERROR",
        code: "TASK_REPORT_NOT_STORED",
        message: expect.stringContaining("too big"),
      },
    });
    expect(await scene.run(good!.runId)).toMatchObject({
      status: "COMPLETED_SUCCESSFULLY",
      output: '"fine"',
    });
    expect(await scene.run(other!.runId)).toMatchObject({ status: "EXECUTING" });
    expect(await scene.queue.queueStats(scene.key)).toMatchObject({ pending: 0, running: 1 });
    // Sent again, because the answer was lost, it is the same.
    expect(
      await scene.queue.applyReports(report(scene, { completed: [success(bad!, TOO_BIG)] })),
    ).toMatchObject({
      completed: ["ok"],
    });
  });

  it("stops the attempt whose journal it is", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    const [run] = await scene.pollAll();
    await scene.report({ started: run });
    const entry: JournalEntry = {
      number: 0,
      kind: "step",
      name: "step",
      startedAt: Date.now(),
      result: { ok: true, output: TOO_BIG },
    };
    expect(await scene.report({ journal: { run: run!, entries: [entry] } })).toEqual(["stale"]);
    expect(await scene.run(runId)).toMatchObject({
      status: "SYSTEM_FAILURE",
      attemptRecords: [{ number: 1, status: "FAILED" }],
    });
    expect(await scene.queue.queueStats(scene.key)).toMatchObject({ pending: 0, running: 0 });
  });
});

describe("a development run whose host is lost", () => {
  const development = { environment: { type: "DEVELOPMENT" as const } };
  const lost = "the host stopped answering";

  it("fails at once where it executed", () =>
    withCore((scene) => {
      const { runId } = scene.trigger();
      scene.start(scene.dequeue()[0]!);
      scene.commit((q) => loseSession(q, "session", lost, 10));
      expect(scene.run(runId)).toMatchObject({
        status: "CRASHED",
        error: { code: "TASK_RUN_STALLED_EXECUTING", message: expect.stringContaining(lost) },
        attemptRecords: [{ number: 1, status: "LOST" }],
      });
      expect(scene.dequeue()).toEqual([]);
    }, development));

  it("is queued again where it had not started", () =>
    withCore((scene) => {
      const { runId } = scene.trigger();
      scene.dequeue();
      scene.commit((q) => loseSession(q, "session", lost, 10));
      expect(scene.dequeue()).toMatchObject([{ runId, attempt: 1, token: 2 }]);
    }, development));

  it("is queued again in any other environment", () =>
    withCore((scene) => {
      const { runId } = scene.trigger();
      scene.start(scene.dequeue()[0]!);
      scene.commit((q) => loseSession(q, "session", lost, 10));
      expect(scene.dequeue()).toMatchObject([{ runId, attempt: 1, token: 2 }]);
    }));
});

describe("an attempt that runs out of memory", () => {
  const outcome = {
    type: "failure" as const,
    error: internalError("TASK_PROCESS_OOM_KILLED", "out of memory"),
  };
  const retry = { maxAttempts: 3, outOfMemory: { machine: "medium-1x" as const } };

  it("is retried on the machine that the task names for it", () =>
    withCore((scene) => {
      const { runId } = scene.trigger({ machine: "small-1x", retry });
      scene.complete(scene.dequeue()[0]!, outcome);
      const [second] = scene.dequeue();
      expect(second).toMatchObject({ runId, attempt: 2, machine: "medium-1x" });
      expect(scene.run(runId)).toMatchObject({ machine: "medium-1x", status: "DEQUEUED" });
      // The larger machine is not enough either.
      scene.complete(second!, outcome);
      expect(scene.run(runId)).toMatchObject({ status: "CRASHED", attempts: 2 });
    }));

  it("fails its run where the task names no other machine", () =>
    withCore((scene) => {
      const { runId } = scene.trigger({ machine: "medium-1x", retry });
      scene.complete(scene.dequeue()[0]!, outcome);
      expect(scene.run(runId)).toMatchObject({ status: "CRASHED" });
      const plain = scene.trigger({ retry: { maxAttempts: 3 } });
      scene.complete(scene.dequeue()[0]!, outcome);
      expect(scene.run(plain.runId)).toMatchObject({ status: "CRASHED" });
    }));

  it("fails its run where no attempt is left", () =>
    withCore((scene) => {
      const { runId } = scene.trigger({ retry: { ...retry, maxAttempts: 1 } });
      scene.complete(scene.dequeue()[0]!, outcome);
      expect(scene.run(runId)).toMatchObject({ status: "CRASHED", machine: "small-1x" });
    }));
});
