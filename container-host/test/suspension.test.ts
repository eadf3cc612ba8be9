/** Runs that only wait, with real processes, against a scripted server. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DequeuedRun } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import type { Remembered } from "./fixtures/durable-tasks.ts";
import { projectBundle } from "./support/bundle.ts";
import { isAlive, type TestHost, testFolder, testHost, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";
import type { ScriptedServer } from "./support/scripted-server.ts";

const text = (output: string) => ({ ok: true as const, output, outputType: "text/plain" });

const logged = (server: ScriptedServer, run: DequeuedRun, prefix: string): string[] =>
  (server.logs.get(run.runId) ?? []).flatMap(({ message }) =>
    message.startsWith(prefix) ? [message.slice(prefix.length)] : [],
  );

/** The process that called the run's function first. A replay logs nothing again. */
const pidOf = (server: ScriptedServer, run: DequeuedRun): Promise<number> =>
  server.until(`the process of ${run.runId}`, () => logged(server, run, "pid ").map(Number)[0]);

const pidOfNext = async (server: ScriptedServer): Promise<number> =>
  (await server.outputOf<{ pid: number }>(server.trigger("whoami"))).pid;

const isReport = (path: string, body: unknown, kind: "journals" | "suspensions"): boolean =>
  path.endsWith("/report") && ((body as Record<string, unknown[]>)[kind]?.length ?? 0) > 0;

/** Holds back reports of one kind. `held` resolves when there is one. */
function hold(server: ScriptedServer, kind: "journals" | "suspensions") {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  server.delay = (path, body) => {
    if (!isReport(path, body, kind)) return undefined;
    held.resolve();
    return released.promise;
  };
  const release = () => {
    server.delay = () => undefined;
    released.resolve();
  };
  return { held: held.promise, release };
}

/** Waits until the host has had time to do what it should not do: until it has answered this often. */
async function afterSomeTurns(host: TestHost): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await host.metric("running");
}

const cancel = (server: ScriptedServer, { runId, token }: DequeuedRun): void =>
  server.notify({ type: "cancel", runId, token });

describe("a long wait", { timeout: 60_000 }, () => {
  it("suspends the run at once; the process takes another, then replays the first", async () => {
    const { metric, server, untilMetric } = await testHost("process");
    const run = server.trigger("remembers");
    const suspension = await server.suspensionOf(run);
    expect(suspension).toMatchObject({ token: run.token, waits: [1], usageMs: expect.any(Number) });
    expect(suspension).not.toHaveProperty("checkpoint");
    expect(suspension).not.toHaveProperty("checkpointError");
    await untilMetric("running", 0);
    expect(server.outcome(run)).toBeUndefined();

    const pid = await pidOf(server, run);
    expect(await pidOfNext(server)).toBe(pid);
    const again = await server.resume(run);
    const { calls, randoms, secrets } = await server.outputOf<Remembered>(again);
    expect(server.resumedBy(again)).toEqual({ by: "replay" });
    // Recorded, unlike the bytes.
    expect(randoms[1]).toBe(randoms[0]);
    expect(secrets[1]).toBe(secrets[0]);
    expect(calls).toEqual([2, 2]);
    expect(server.effects).toEqual(["step-1"]);
    expect(await metric("runtime_start_seconds_count")).toBe(1);
    expect(await metric("attempts_ended_total", '{outcome="suspended",code=""}')).toBe(1);
  });

  it.each(["timer", "connection"])("ends a process in which a %s is under way", async (what) => {
    const { server, untilMetric } = await testHost("process");
    const run = server.trigger("holds", { payload: { what } });
    await server.suspensionOf(run);
    const pid = await pidOf(server, run);
    await untilMetric("runtimes", 0);
    expect(isAlive(pid)).toBe(false);
    const again = await server.resume(run);
    const output = await server.outputOf<{ pid: number; connection: string }>(again);
    expect(output.connection).toBe("nothing");
    expect(output.pid).not.toBe(pid);
  });

  it("is as long as the project says", async () => {
    const server = await testServer();
    const patient = server.deploy(await projectBundle(), { id: "patient", suspendAfterMs: 7_200_000 });
    const eager = server.deploy(await projectBundle(), { id: "eager", suspendAfterMs: 0 });
    const host = await testHost("process", { server });
    const waiting = server.trigger("remembers", { deploymentId: patient });
    await server.operationOf(waiting, 1);
    const run = server.trigger("remembers", { deploymentId: eager, payload: { seconds: 4 } });
    await server.suspensionOf(run);
    await afterSomeTurns(host);
    expect(server.isSuspended(waiting)).toBe(false);
    cancel(server, waiting);
    expect(await server.outcomeOf(waiting)).toEqual({ type: "canceled" });
  });
});

describe("a short wait", { timeout: 60_000 }, () => {
  it("stays in memory, and the host notifies the process of its end", async () => {
    const { server } = await testHost("process");
    const run = server.trigger("remembers", { payload: { times: 2, seconds: 0.05 } });
    const { calls, secrets } = await server.outputOf<Remembered>(run);
    expect(calls).toEqual([1, 1, 1]);
    expect(new Set(secrets).size).toBe(1);
    expect(server.suspensions).toEqual([]);
    expect(server.journalOf(run).map(({ kind, result }) => `${kind} ${result?.ok}`)).toEqual([
      "step true",
      "wait true",
      "step true",
      "wait true",
    ]);
  });

  it("keeps operations that wait longer at the same time in memory too", async () => {
    const { server } = await testHost("process");
    const run = server.trigger("tokens", { payload: { ids: ["waitpoint_a"], seconds: 4 } });
    await server.operationOf(run, 1);
    server.complete(run, 0, text("a"));
    await server.until("the token's value", () => logged(server, run, "got ").length === 1);
    cancel(server, run);
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
    expect(server.suspensions).toEqual([]);
  });
});

describe("a wait without a known end", { timeout: 60_000 }, () => {
  it("is suspended after a second", async () => {
    const { server } = await testHost("process");
    const run = server.trigger("tokens", { payload: { ids: ["waitpoint_a", "waitpoint_b"] } });
    const { startedAt } = await server.operationOf(run, 1);
    expect((await server.suspensionOf(run)).waits).toEqual([0, 1]);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_000);
    const again = await server.resume(run, { results: { 1: text("b") } });
    // The other is still waited for.
    expect((await server.suspensionOf(again)).waits).toEqual([0]);
    const last = await server.resume(again, { results: { 0: text("a") } });
    expect(await server.outputOf(last)).toEqual(["a", "b"]);
    expect(server.resumedBy(last)).toEqual({ by: "replay" });
  });

  it("continues in memory if the host gets its result before that", async () => {
    const { server } = await testHost("process");
    const run = server.trigger("tokens", { payload: { ids: ["waitpoint_a"] } });
    await server.operationOf(run, 0);
    server.complete(run, 0, text("soon"));
    expect(await server.outputOf(run)).toEqual(["soon"]);
    expect(server.suspensions).toEqual([]);
  });
});

describe("a suspension that is answered with results", { timeout: 60_000 }, () => {
  it("continues in the same process, under the same lease", async () => {
    const { metric, server } = await testHost("process");
    server.suspend = ({ runId, waits }) =>
      server.suspensions.length > 0
        ? undefined
        : { verdict: "resume", completed: waits.map((number) => ({ runId, number, result: { ok: true } })) };
    const run = server.trigger("remembers", { payload: { times: 2 } });
    expect((await server.suspensionOf(run)).waits).toEqual([3]);
    const again = await server.resume(run);
    const { calls, randoms } = await server.outputOf<Remembered>(again);
    expect(new Set(randoms).size).toBe(1);
    // Called for the first wait, which continued in memory, and for the replay.
    expect(calls).toEqual([2, 2, 2]);
    expect(server.suspensions.map(({ verdict, waits }) => [verdict, waits])).toEqual([
      ["resume", [1]],
      ["suspended", [3]],
    ]);
    expect(server.effects).toEqual(["step-1", "step-2"]);
    expect(await metric("attempts_started_total")).toBe(2);
  });

  it("is reported once more if its owner could not be reached", async () => {
    const { server } = await testHost("process");
    server.suspend = () => (server.suspensions.length < 2 ? { verdict: "retry" } : undefined);
    const run = server.trigger("remembers");
    await server.suspensionOf(run);
    expect(server.suspensions.map(({ verdict }) => verdict)).toEqual(["retry", "retry", "suspended"]);
    await server.outputOf(await server.resume(run));
  });

  it("that names no completed operation is reported again after a pause", async () => {
    const host = await testHost("process");
    const { server } = host;
    server.suspend = () => ({ verdict: "resume", completed: [] });
    const run = server.trigger("remembers");
    await server.until("a suspension", () => server.suspensions.length > 0);
    await afterSomeTurns(host);
    expect(server.suspensions.length).toBe(1);
    cancel(server, run);
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
  });
});

describe("cancellation", { timeout: 60_000 }, () => {
  it("ends a run that waits in memory; the process is used again", async () => {
    const { server } = await testHost("process");
    const run = server.trigger("remembers", { payload: { seconds: 4 } });
    await server.operationOf(run, 1);
    cancel(server, run);
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
    expect(server.suspensions).toEqual([]);
    expect(await pidOfNext(server)).toBe(await pidOf(server, run));
  });

  it("by notice ends a run whose suspension is being reported", async () => {
    const { server, untilMetric } = await testHost("process");
    const { held, release } = hold(server, "suspensions");
    const run = server.trigger("remembers");
    await held;
    cancel(server, run);
    await untilMetric("running", 0);
    release();
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
  });

  it("by the answer to the suspension ends it, with nothing more to report", async () => {
    const { server, untilMetric } = await testHost("process");
    server.suspend = () => ({ verdict: "canceled" });
    const run = server.trigger("remembers");
    await server.until("the suspension was reported", () => server.suspensions.length > 0);
    await untilMetric("running", 0);
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect(server.outcome(run)).toBeUndefined();
  });
});

describe("a lease that has ended", { timeout: 60_000 }, () => {
  it("by the answer to the suspension leaves nothing of the run here", async () => {
    const { server, untilMetric } = await testHost("process");
    server.suspend = () => ({ verdict: "stale" });
    const run = server.trigger("remembers");
    await server.until("the suspension was reported", () => server.suspensions.length > 0);
    const pid = await pidOf(server, run);
    await untilMetric("runtimes", 0);
    expect(isAlive(pid)).toBe(false);
    expect(server.outcome(run)).toBeUndefined();
  });

  it("and followed by the next before the suspension is answered leaves the run to that", async () => {
    const { server, untilMetric } = await testHost("process");
    const { held, release } = hold(server, "suspensions");
    const run = server.trigger("remembers");
    await held;
    for (const entry of server.journalOf(run)) entry.result ??= { ok: true };
    const again = server.handOutAgain(run);
    await untilMetric("attempts_started_total", 2);
    release();
    const { calls } = await server.outputOf<Remembered>(again);
    // The host made the process discard the first lease, and the process took the second.
    expect(calls).toEqual([2, 2]);
  });
});

describe("a process that ends while its run is being suspended", { timeout: 60_000 }, () => {
  async function killedWhileReporting(server: ScriptedServer): Promise<DequeuedRun> {
    const { held, release } = hold(server, "suspensions");
    const run = server.trigger("remembers");
    await held;
    const pid = await pidOf(server, run);
    process.kill(pid, "SIGKILL");
    await server.until("the process is gone", () => !isAlive(pid));
    release();
    return run;
  }

  it("loses nothing: the run is suspended", async () => {
    const { server } = await testHost("process");
    const run = await killedWhileReporting(server);
    const again = await server.resume(run);
    const { randoms } = await server.outputOf<Remembered>(again);
    expect(randoms[1]).toBe(randoms[0]);
    expect(server.effects).toEqual(["step-1"]);
  });

  it("loses nothing if the run should continue at once: the host releases it for a replay", async () => {
    const { server, untilMetric } = await testHost("process");
    server.suspend = ({ runId, waits }) => ({
      verdict: "resume",
      completed: waits.map((number) => ({ runId, number, result: { ok: true } })),
    });
    const { held, release } = hold(server, "suspensions");
    const run = server.trigger("remembers");
    await held;
    process.kill(await pidOf(server, run), "SIGKILL");
    await untilMetric("runtimes", 0);
    release();
    expect(await server.outcomeOf(run)).toMatchObject({
      type: "released",
      reason: expect.stringContaining("while it was being suspended"),
    });
    server.suspend = () => undefined;
    for (const entry of server.journalOf(run)) entry.result ??= { ok: true };
    const again = server.handOutAgain(run);
    await server.until("its outcome", () => server.outcome(again)?.type === "success");
    expect(server.effects).toEqual(["step-1"]);
  });
});

describe("another host", { timeout: 60_000 }, () => {
  it("replays with the journaled values", async () => {
    const first = await testHost("process");
    const { server } = first;
    const run = server.trigger("remembers", { payload: { times: 2 } });
    await server.suspensionOf(run);
    await first.stop();
    const second = await testHost("process", { server });
    const again = await server.resume(run);
    expect((await server.suspensionOf(again)).hostId).toBe(second.hostId);
    const last = await server.resume(again);
    const { counted, randoms, secrets } = await server.outputOf<Remembered>(last);
    expect(new Set(randoms).size).toBe(1);
    expect(new Set(secrets).size).toBe(1);
    expect(counted).toEqual([1, 2, 3]);
    expect(server.effects).toEqual(["step-1", "step-2"]);
  });

  it("continues a run from its journal after its host was killed with -9", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    const args = ["--executor", "process", "--spares", "0"];
    const first = hostProcess({ apiUrl: server.url, dataDir, args });
    await first.ready;
    const run = server.trigger("steps");
    await server.operationOf(run, 2);
    const recorded = (await server.operationOf(run, 0)).result;
    first.child.kill("SIGKILL");
    await once(first.child, "exit");

    await hostProcess({ apiUrl: server.url, dataDir, args }).ready;
    const again = server.handOutAgain(run);
    await server.startOf(again);
    server.complete(again, 2, text("go"));
    expect({ ok: true, output: await server.outputOf(again) }).toMatchObject({
      ok: true,
      output: recorded?.ok && recorded.output,
    });
    expect(server.resumedBy(again)).toEqual({ by: "replay" });
    expect(server.effects).toEqual(["first", "second"]);
  });
});

describe("a host that stops", { timeout: 60_000 }, () => {
  it("suspends runs that only wait, however short, and returns the rest", async () => {
    const host = await testHost("process", { drainMs: 200 });
    const { server } = host;
    const waiting = server.trigger("remembers", { payload: { seconds: 4 } });
    const working = server.trigger("waits", { payload: {} });
    await server.operationOf(waiting, 1);
    await server.startOf(working);
    await host.stop();
    expect(server.isSuspended(waiting)).toBe(true);
    expect(server.outcome(waiting)).toBeUndefined();
    expect(server.outcome(working)).toMatchObject({ type: "released" });
  });

  it("lets executing runs end, and suspends those that begin to wait meanwhile", async () => {
    const host = await testHost("process", { drainMs: 30_000 });
    const { server } = host;
    const file = join(testFolder(), "go");
    const run = server.trigger("waits", { payload: { file } });
    const token = server.trigger("tokens", { payload: { ids: ["waitpoint_a"] } });
    await server.startOf(run);
    await server.operationOf(token, 0);
    const stopped = host.stop();
    await server.suspensionOf(token);
    writeFileSync(file, "");
    await stopped;
    expect(await server.outputOf(run)).toBe("done");
  });
});

describe("a journal", { timeout: 60_000 }, () => {
  it("is durable before a step's result is delivered", async () => {
    const host = await testHost("process");
    const { server } = host;
    const { held, release } = hold(server, "journals");
    const run = server.trigger("steps");
    await held;
    await server.until("the first effect", () => server.countOf("first") === 1);
    await afterSomeTurns(host);
    expect(server.effects).toEqual(["first"]);
    release();
    await server.operationOf(run, 2);
    expect(server.effects).toEqual(["first", "second"]);
    server.complete(run, 2, text("go"));
    await server.outputOf(run);
  });

  it("whose report is lost is reported again, and nothing is done twice", async () => {
    const { server } = await testHost("process");
    let lost = 0;
    server.trouble = (path, body) => {
      if (!isReport(path, body, "journals") || lost >= 2) return undefined;
      lost += 1;
      return "hang up";
    };
    const run = server.trigger("steps");
    await server.operationOf(run, 2);
    server.complete(run, 2, text("go"));
    await server.outputOf(run);
    expect(lost).toBe(2);
    expect(server.effects).toEqual(["first", "second"]);
  });

  it("that the server refuses fails the attempt with the server's message", async () => {
    const { server } = await testHost("process");
    server.trouble = (path, body) =>
      isReport(path, body, "journals") ? { status: 413, message: "The journal is too large" } : undefined;
    const run = server.trigger("steps");
    expect(await server.outcomeOf(run)).toMatchObject({
      type: "failure",
      error: {
        code: "TASK_EXECUTOR_FAILED",
        message: expect.stringMatching(/refused to record an operation: 413: The journal is too large/),
      },
      retry: null,
    });
    expect(server.countOf("second")).toBe(0);
    server.trouble = () => undefined;
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
  });

  it("of a lease that has ended stops the attempt", async () => {
    const { server, untilMetric } = await testHost("process");
    server.verdict = (kind) => (kind === "journals" ? "stale" : "ok");
    const run = server.trigger("steps");
    await server.startOf(run);
    await untilMetric("running", 0);
    expect(server.outcome(run)).toBeUndefined();
    expect(server.countOf("second")).toBe(0);
  });
});
