/** The host with real processes, against a scripted server. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundleOf, projectBundle } from "./support/bundle.ts";
import { isAlive, testFolder, testHost, testServer } from "./support/host.ts";

const internal = (code: string, message?: RegExp) => ({
  type: "failure",
  error: { type: "INTERNAL_ERROR", code, ...(message ? { message: expect.stringMatching(message) } : {}) },
});

describe("an attempt", { timeout: 60_000 }, () => {
  it("reports the task's output, its start time and its duration", async () => {
    const { server } = await testHost("process");
    const before = Date.now();
    const run = server.trigger("echo", { payload: { a: [1, "ü"] } });
    expect(await server.outcomeOf(run)).toEqual({
      type: "success",
      output: '{"a":[1,"ü"]}',
      outputType: "application/json",
    });
    const [report] = server.completed;
    expect(report).toMatchObject({ runId: run.runId, token: run.token, usageMs: expect.any(Number) });
    expect(report?.startedAt).toBeGreaterThanOrEqual(before);
    expect(report?.completedAt).toBeGreaterThanOrEqual(report?.startedAt ?? Number.POSITIVE_INFINITY);
  });

  it("reports the error its task threw, and the runtime's decision about retries", async () => {
    const { server } = await testHost("process");
    expect(await server.outcomeOf(server.trigger("fails"))).toMatchObject({
      type: "failure",
      error: { type: "BUILT_IN_ERROR", name: "TypeError", message: "on purpose" },
      retry: null,
    });
  });

  it("that runs long reports its start before its end", async () => {
    const { server } = await testHost("process");
    const file = join(testFolder(), "go");
    const run = server.trigger("waits", { payload: { file } });
    await server.startOf(run);
    expect(server.outcome(run)).toBeUndefined();
    writeFileSync(file, "");
    expect(await server.outputOf(run)).toBe("done");
  });

  it("gets the environment's variables and token, and none of the host's secrets", async () => {
    const server = await testServer();
    const bundle = await projectBundle();
    const deploymentId = server.deploy(bundle, {
      env: { GREETING: "hi", ACME_API_URL: "http://evil.example" },
    });
    process.env.ACME_HOST_TOKEN = "must not leak";
    await testHost("process", { server });
    const run = server.trigger("whoami", { deploymentId });
    const { env, execArgv } = await server.outputOf<{ env: Record<string, string>; execArgv: string[] }>(run);
    delete process.env.ACME_HOST_TOKEN;
    expect(env).toMatchObject({
      GREETING: "hi",
      ACME_API_URL: server.url,
      ACME_SECRET_KEY: `api-token-of-${run.runId}`,
    });
    expect(Object.values(env)).not.toContain("must not leak");
    expect(env.ACME_CHANNEL_TOKEN).toBeUndefined();
    expect(execArgv).toContain("--max-old-space-size=384");
  });

  it("sends its logs", async () => {
    const { server } = await testHost("process");
    const run = server.trigger("logs", { payload: { lines: 3 } });
    await server.outcomeOf(run);
    const entries = await server.until("three entries", () => {
      const found = server.logs.get(run.runId);
      return found?.length === 3 && found;
    });
    expect(entries.map(({ level, message }) => `${level} ${message[0]}`)).toEqual([
      "log 0",
      "log 1",
      "log 2",
    ]);
  });

  it("that logs more than the buffer holds loses the rest, and says how much", async () => {
    const { server } = await testHost("process", { telemetryBufferBytes: 4_000_000 });
    let takesLogs = false;
    server.trouble = (_, body) =>
      !takesLogs && JSON.stringify(body)?.includes('"logs":[{')
        ? { status: 503, message: "busy" }
        : undefined;
    const run = server.trigger("logs", { payload: { lines: 400, length: 20_000 } });
    await server.outcomeOf(run);
    takesLogs = true;
    const received = () => server.logs.get(run.runId) ?? [];
    // One notice for each time that the buffer was full.
    const dropped = () =>
      received()
        .map(({ message }) => /(\d+) .*dropped/.exec(message)?.[1] ?? 0)
        .reduce<number>((sum, count) => sum + Number(count), 0);
    await server.until(
      "all are accounted for",
      () => received().filter(({ level }) => level === "log").length + dropped() === 400,
    );
    expect(dropped()).toBeGreaterThan(0);
  });
});

describe("a process that dies", { timeout: 60_000 }, () => {
  it("is reported with its exit code and its last words", async () => {
    const { server } = await testHost("process");
    const outcome = await server.outcomeOf(server.trigger("exits", { payload: { code: 3 } }));
    expect(outcome).toMatchObject(
      internal("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", /ended with code 3[\s\S]*last words/),
    );
    expect(outcome).not.toHaveProperty("retry");
  });

  it("with code 0 in the middle of a run is a crash too", async () => {
    const { server } = await testHost("process");
    const outcome = await server.outcomeOf(server.trigger("exits", { payload: { code: 0 } }));
    expect(outcome).toMatchObject(internal("TASK_PROCESS_CRASHED", /process\.exit/));
  });

  it.each([
    ["SIGKILL", "TASK_PROCESS_CRASHED"],
    ["SIGSEGV", "TASK_PROCESS_SIGSEGV"],
    ["SIGTERM", "TASK_PROCESS_SIGTERM"],
  ])("by %s is reported as that", async (signal, code) => {
    const { server } = await testHost("process");
    const outcome = await server.outcomeOf(server.trigger("kills", { payload: { signal } }));
    expect(outcome).toMatchObject(internal(code, new RegExp(signal)));
  });

  it("of a full heap is reported as out of memory, with the preset's limit", async () => {
    const { server } = await testHost("process");
    const run = server.trigger("fills-heap", { machine: "micro" });
    expect(await server.outcomeOf(run)).toMatchObject(
      internal("TASK_PROCESS_OOM_KILLED", /heap was full \(0\.25 GB of micro\)/),
    );
  });

  it("does not harm the next run", async () => {
    const { server } = await testHost("process");
    await server.outcomeOf(server.trigger("exits", { payload: { code: 1 } }));
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
  });

  it("ends the processes that it started", async () => {
    const host = await testHost("process");
    const { child, pid } = await host.server.outputOf<{ pid: number; child: number }>(
      host.server.trigger("spawns"),
    );
    expect(isAlive(child)).toBe(true);
    await host.kill();
    await host.server.until("both are gone", () => !isAlive(pid) && !isAlive(child));
  });
});

describe("a bundle", { timeout: 60_000 }, () => {
  it("that can't be loaded fails its runs with the reason", async () => {
    const { server } = await testHost("process");
    const deploymentId = server.deploy(bundleOf('throw new Error("no luck");'));
    expect(await server.outcomeOf(server.trigger("any", { deploymentId }))).toMatchObject({
      ...internal("COULD_NOT_IMPORT_TASK", /no luck/),
      retry: null,
    });
  });

  it("that ends its process while it is loaded fails the run as a crash", async () => {
    const { server } = await testHost("process");
    const deploymentId = server.deploy(bundleOf("process.exit(7);"));
    expect(await server.outcomeOf(server.trigger("any", { deploymentId }))).toMatchObject(
      internal("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", /code 7/),
    );
  });

  it("whose content is not what its hash says is refused", async () => {
    const { server } = await testHost("process");
    const deploymentId = server.deploy(bundleOf("export {};"));
    server.bundles.set(server.deployments.get(deploymentId)!.contentHash, Buffer.from("something else"));
    expect(await server.outcomeOf(server.trigger("any", { deploymentId }))).toMatchObject(
      internal("TASK_EXECUTOR_FAILED", /its content has the hash [0-9a-f]{64}/),
    );
  });

  it("of an unknown deployment fails the run with the server's message", async () => {
    const { server } = await testHost("process");
    expect(await server.outcomeOf(server.trigger("any", { deploymentId: "gone" }))).toMatchObject(
      internal("TASK_EXECUTOR_FAILED", /No such deployment/),
    );
  });

  it("is fetched once, and kept for the next start", async () => {
    const host = await testHost("process");
    const { dataDir, server } = host;
    let fetched = 0;
    server.trouble = (path) => {
      if (path.endsWith("/bundle")) fetched += 1;
      return undefined;
    };
    await Promise.all([1, 2, 3].map((payload) => server.outputOf(server.trigger("echo", { payload }))));
    await host.stop();
    await testHost("process", { server, dataDir });
    await server.outputOf(server.trigger("echo", { payload: 4 }));
    expect(fetched).toBe(1);
  });

  it("is fetched again after the server was unreachable", async () => {
    const { server } = await testHost("process");
    let failures = 0;
    server.trouble = (path) => {
      if (!path.endsWith("/bundle") || failures >= 2) return undefined;
      failures += 1;
      return { status: 503, message: "not now" };
    };
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect(failures).toBe(2);
  });
});

describe("a runtime that can't be started", { timeout: 60_000 }, () => {
  it("fails its run after some tries, with the reason; other runs continue", async () => {
    const { metric, server } = await testHost("process");
    // More than the kernel takes for one variable.
    const deploymentId = server.deploy(await projectBundle(), { env: { HUGE: "x".repeat(3_000_000) } });
    const run = server.trigger("noop", { deploymentId });
    expect(await server.outcomeOf(run)).toMatchObject(
      internal("TASK_EXECUTOR_FAILED", /could not be started.*E2BIG/),
    );
    expect(server.isStarted(run)).toBe(false);
    expect(await server.outputOf(server.trigger("echo", { deploymentId: "deployment_1", payload: 1 }))).toBe(
      1,
    );
    expect(await metric("running")).toBe(0);
  });
});

describe("warm reuse", { timeout: 60_000 }, () => {
  const pidOf = async (server: Awaited<ReturnType<typeof testServer>>, options = {}): Promise<number> =>
    (await server.outputOf<{ pid: number }>(server.trigger("whoami", options))).pid;

  it("gives the next run of the same version the same process", async () => {
    const { metric, server } = await testHost("process");
    const first = await pidOf(server);
    expect(await pidOf(server)).toBe(first);
    expect(await metric("warm_starts_total")).toBe(1);
    expect(await metric("runtime_start_seconds_count")).toBe(1);
  });

  it("never crosses environments, machines or variables", async () => {
    const { server } = await testHost("process");
    const again = server.deploy(await projectBundle(), { env: { OTHER: "1" } });
    const pids = [
      await pidOf(server, { deploymentId: "deployment_1" }),
      await pidOf(server, { deploymentId: "deployment_1", environment: "env00001" }),
      await pidOf(server, { deploymentId: "deployment_1", machine: "micro" }),
      await pidOf(server, { deploymentId: again }),
    ];
    expect(new Set(pids).size).toBe(4);
  });

  it("ends an idle process after its time", async () => {
    const { server } = await testHost("process", { idleMs: 50 });
    const pid = await pidOf(server);
    await server.until("the process is gone", () => !isAlive(pid));
  });

  it("ends the idle process of another version when its slot is needed", async () => {
    const { server } = await testHost("process", { concurrency: 1 });
    const pid = await pidOf(server);
    expect(await pidOf(server, { environment: "env00001" })).not.toBe(pid);
    expect(isAlive(pid)).toBe(false);
  });

  it("keeps a spare runtime while all others are busy", async () => {
    const { metric, server, untilMetric } = await testHost("process", { spares: 1 });
    const file = join(testFolder(), "go");
    const run = server.trigger("waits", { payload: { file } });
    await server.startOf(run);
    await untilMetric("runtimes_idle", 1);
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect(await metric("runtime_start_seconds_count")).toBe(2);
  });

  it("runs many short runs in few processes", async () => {
    const { metric, server } = await testHost("process", { concurrency: 100 });
    await server.outcomeOf(server.trigger("noop"));
    const runs = Array.from({ length: 500 }, () => server.run("noop"));
    server.give(...runs);
    await server.until("all are done", () => server.completed.length === 501);
    expect(new Set(server.completed.map(({ runId }) => runId)).size).toBe(501);
    expect(server.completed.every(({ outcome }) => outcome.type === "success")).toBe(true);
    expect(await metric("runtimes")).toBeLessThan(20);
  });
});

/**
 * A task's code can write to its runtime's channel, so the host treats messages as possibly false claims
 * about the task's own run.
 */
describe("a task that reports its end and keeps running", { timeout: 60_000 }, () => {
  it("delays runs of its own environment only, and reports nothing in their name", async () => {
    const { server } = await testHost("process", { concurrency: 2 });
    const file = join(testFolder(), "go");
    const outcome = { type: "success", output: "early", outputType: "text/plain" };
    const first = server.trigger("completes-early", { payload: { file, outcome } });
    expect(await server.outcomeOf(first)).toMatchObject(outcome);
    const next = server.trigger("whoami");
    const elsewhere = await server.outputOf<{ pid: number }>(
      server.trigger("whoami", { environment: "env00001" }),
    );
    // It is assigned the busy process, and starts when that is free.
    expect(server.isStarted(next)).toBe(false);
    writeFileSync(file, "");
    const { pid } = await server.outputOf<{ pid: number }>(next);
    expect(pid).not.toBe(elsewhere.pid);
    expect(server.started.filter(({ runId }) => runId === first.runId).length).toBeLessThan(2);
    expect(server.completed.map(({ runId }) => runId).toSorted()).toEqual(
      [...new Set(server.completed.map(({ runId }) => runId))].toSorted(),
    );
    expect(server.outcome(first)).toMatchObject(outcome);
    expect(server.journalOf(first)).toEqual([]);
    expect(server.journalOf(next)).toEqual([]);
    expect(server.suspensions).toEqual([]);
  });

  it("reports nothing in the name of its own next attempt", async () => {
    const { server } = await testHost("process", { concurrency: 1 });
    const file = join(testFolder(), "go");
    const outcome = { type: "success", output: "early", outputType: "text/plain" };
    const first = server.trigger("completes-early", { payload: { file, outcome } });
    await server.outcomeOf(first);
    const second = { ...first, token: 2, attempt: 2 };
    server.give(second);
    await server.until("the next attempt has been taken", () => server.runs.length === 0);
    writeFileSync(file, "");
    await server.until("its outcome", () => server.outcome(second));
    expect(server.outcome(second)).toMatchObject({ type: "success", output: "second attempt" });
    expect(server.completed).toHaveLength(2);
    expect(server.journalOf(first)).toEqual([]);
    // Later log lines come after earlier ones.
    const last = server.trigger("logs", { payload: { lines: 1 } });
    await server.outcomeOf(last);
    await server.until("the logs of the last run", () => server.logs.get(last.runId));
    expect(server.logs.get(first.runId) ?? []).toEqual([]);
  });

  it("is killed when the lease of the run that got its process is about to expire", async () => {
    const { server, untilMetric } = await testHost("process", { concurrency: 1 });
    const outcome = { type: "success", output: "early", outputType: "text/plain" };
    const never = join(testFolder(), "never");
    const first = server.trigger("completes-early", { payload: { file: never, outcome } });
    await server.outcomeOf(first);
    const next = server.trigger("whoami", { leaseMs: 3_000 });
    await server.until("the next run has been taken", () => server.runs.length === 0);
    await untilMetric("runtimes", 0);
    // The server leases the run again when that lease has ended.
    const { pid } = await server.outputOf<{ pid: number }>(server.handOutAgain(next));
    expect(isAlive(pid)).toBe(true);
    expect(server.started.filter(({ runId }) => runId === next.runId)).toMatchObject([{ token: 2 }]);
  });
});

describe("cancellation", { timeout: 60_000 }, () => {
  it("reaches the task, and the process is used again", async () => {
    const { metric, server } = await testHost("process");
    const run = server.trigger("waits", { payload: {} });
    await server.startOf(run);
    server.notify({ type: "cancel", runId: run.runId, token: run.token });
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
    await server.outcomeOf(server.trigger("noop"));
    expect(await metric("runtime_start_seconds_count")).toBe(1);
  });

  it("kills a task that does not end within the grace period", async () => {
    const { server } = await testHost("process", { cancelGraceMs: 50 });
    const run = server.trigger("blocks");
    await server.startOf(run);
    server.notify({ type: "cancel", runId: run.runId, token: run.token });
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
  });

  it("of a run that waits for a process ends it without starting it", async () => {
    const { server } = await testHost("process", { concurrency: 2 });
    const deploymentId = server.deploy(bundleOf("await new Promise(() => setInterval(() => {}, 1000));"));
    const run = server.trigger("never", { deploymentId });
    await server.until("the host has it", () => server.runs.length === 0);
    server.notify({ type: "cancel", runId: run.runId, token: run.token });
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
    expect(server.isStarted(run)).toBe(false);
  });

  it("with another token changes nothing", async () => {
    const { server } = await testHost("process");
    const file = join(testFolder(), "go");
    const run = server.trigger("waits", { payload: { file } });
    await server.startOf(run);
    server.notify({ type: "cancel", runId: run.runId, token: run.token + 1 });
    await server.until("the notice was taken", () => server.notices.length === 0 && server.polls.size > 0);
    writeFileSync(file, "");
    expect(await server.outputOf(run)).toBe("done");
  });

  it("through the verdict on a heartbeat stops the attempt and reports its end", async () => {
    const server = await testServer();
    server.verdict = (kind) => (kind === "heartbeats" ? "canceled" : "ok");
    await testHost("process", { server, heartbeatMs: 50 });
    const run = server.trigger("waits", { payload: {} });
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
  });
});

describe("time limits", { timeout: 60_000 }, () => {
  it("the host kills a task that its runtime can't stop", async () => {
    const { server } = await testHost("process", { timeoutGraceMs: 100 });
    const run = server.trigger("blocks", { maxDuration: 0.2 });
    expect(await server.outcomeOf(run)).toMatchObject({
      ...internal("MAX_DURATION_EXCEEDED", /maxDuration of 0\.2 s/),
      retry: null,
    });
  });

  it("count the time that a run used before it was suspended", async () => {
    const { server } = await testHost("process", { timeoutGraceMs: 100 });
    const run = server.run("blocks", { maxDuration: 3_600 });
    run.resume = { journal: [], usedMs: 3_599_800, checkpoint: null };
    server.give(run);
    expect(await server.outcomeOf(run)).toMatchObject(internal("MAX_DURATION_EXCEEDED"));
  });
});

describe("leases", { timeout: 60_000 }, () => {
  it("are renewed together", async () => {
    const { server } = await testHost("process", { heartbeatMs: 50 });
    const runs = [1, 2, 3].map(() => server.trigger("waits", { payload: {} }));
    await Promise.all(runs.map((run) => server.startOf(run)));
    await server.until("heartbeats of all", () =>
      runs.every((run) => server.heartbeats.filter(({ runId }) => runId === run.runId).length >= 2),
    );
  });

  it("that have ended stop the attempt, and the host reports nothing more about it", async () => {
    const server = await testServer();
    const { metric, untilMetric } = await testHost("process", { server, heartbeatMs: 50 });
    const run = server.trigger("waits", { payload: {} });
    await server.startOf(run);
    server.verdict = (kind) => (kind === "heartbeats" ? "stale" : "ok");
    await untilMetric("running", 0);
    await untilMetric("runtimes", 0);
    expect(server.outcome(run)).toBeUndefined();
    expect(await metric("attempts_ended_total", '{outcome="lost",code=""}')).toBe(1);
  });

  it("that end before a process is free return the run, unstarted", async () => {
    const { server } = await testHost("process", { concurrency: 2 });
    const deploymentId = server.deploy(bundleOf("await new Promise(() => setInterval(() => {}, 1000));"));
    const run = server.trigger("never", { deploymentId, leaseMs: 400 });
    expect(await server.outcomeOf(run)).toMatchObject({ type: "released" });
    expect(server.isStarted(run)).toBe(false);
  });

  it("a second delivery of the same lease starts nothing twice", async () => {
    const { metric, server } = await testHost("process");
    const file = join(testFolder(), "go");
    const run = server.run("waits", { payload: { file } });
    server.give(run, run);
    await server.startOf(run);
    server.give(run);
    await server.until("it was taken", () => server.runs.length === 0);
    writeFileSync(file, "");
    await server.outputOf(run);
    expect(await metric("attempts_started_total")).toBe(1);
    expect(server.completed.length).toBe(1);
  });

  it("a newer lease of the same run replaces the older attempt", async () => {
    const { server } = await testHost("process");
    const first = server.trigger("waits", { payload: {} });
    await server.startOf(first);
    const second = server.trigger("echo", { payload: 2, runId: first.runId, token: 2 });
    expect(await server.until("an outcome", () => server.outcome(second))).toMatchObject({ output: "2" });
    expect(server.completed.map(({ token }) => token)).toEqual([2]);
  });
});

describe("the server", { timeout: 60_000 }, () => {
  it("may restart: results are reported when it is back, and the next run is accepted", async () => {
    const { server } = await testHost("process");
    const file = join(testFolder(), "go");
    const run = server.trigger("waits", { payload: { file } });
    await server.startOf(run);
    const { port } = server;
    await server.close();
    writeFileSync(file, "");
    await server.listen(port);
    expect(await server.outputOf(run)).toBe("done");
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
  });

  it("may answer with errors for a while: everything is reported once it accepts it", async () => {
    const { server } = await testHost("process");
    let failures = 0;
    server.trouble = (path) => {
      if (!path.endsWith("/report") || failures >= 3) return undefined;
      failures += 1;
      return failures === 2 ? "hang up" : { status: 500, message: "oops" };
    };
    const runs = [1, 2, 3].map((payload) => server.trigger("echo", { payload }));
    expect(await Promise.all(runs.map((run) => server.outputOf(run)))).toEqual([1, 2, 3]);
    expect(server.completed.length).toBe(3);
  });

  it("may ask for a report again", async () => {
    const server = await testServer();
    let asked = 0;
    server.verdict = (kind) => (kind === "completed" && ++asked <= 2 ? "retry" : "ok");
    await testHost("process", { server });
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect(asked).toBe(3);
  });

  it("may refuse one result: that run fails, and the others are not delayed", async () => {
    const server = await testServer();
    server.trouble = (path, body) =>
      path.endsWith("/report") && JSON.stringify(body).includes("poison")
        ? { status: 413, message: "too large" }
        : undefined;
    await testHost("process", { server });
    const runs = ["a", "poison", "b"].map((payload) => server.trigger("echo", { payload }));
    const outcomes = await Promise.all(runs.map((run) => server.outcomeOf(run)));
    expect(outcomes[0]).toMatchObject({ output: "a" });
    expect(outcomes[1]).toMatchObject(internal("TASK_OUTPUT_ERROR", /too large/));
    expect(outcomes[2]).toMatchObject({ output: "b" });
  });

  it("may end the session: executing runs are stopped, and a new session begins", async () => {
    const { metric, server } = await testHost("process");
    const run = server.trigger("waits", { payload: {} });
    await server.startOf(run);
    await server.until("a poll waits", () => server.polls.size > 0);
    server.endSession();
    await server.until("a new session", () => server.sessions.length === 2);
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect(server.outcome(run)).toBeUndefined();
    expect(await metric("running")).toBe(0);
    expect(server.hostIds.size).toBe(1);
  });

  it("may be unreachable for too long: the host stops its runs, and returns them when the server answers again", async () => {
    const { said, server } = await testHost("process", { fenceMs: 3_000 });
    const run = server.trigger("waits", { payload: {} });
    await server.startOf(run);
    const { port } = server;
    await server.close();
    await server.until("the host has stopped it", () => said.some((line) => line.includes("No contact")));
    await server.listen(port);
    expect(await server.outcomeOf(run)).toMatchObject({ type: "released" });
  });
});

describe("capacity", { timeout: 60_000 }, () => {
  it("is what the host asks for; full, it only listens", async () => {
    const { server } = await testHost("process", { concurrency: 2 });
    const runs = [1, 2, 3].map(() => server.trigger("waits", { payload: {} }));
    await server.until("two started", () => server.started.length === 2);
    await server.until("a poll for notices", () =>
      [...server.polls].some(({ request }) => request.max === 0),
    );
    expect(server.runs.length).toBe(1);
    expect(Math.max(...server.maxSeen)).toBe(2);
    const [first] = runs;
    server.notify({ type: "cancel", runId: first!.runId, token: first!.token });
    await server.until("the third started", () => server.started.length === 3);
  });
});

describe("stopping", { timeout: 60_000 }, () => {
  it("lets attempts end, ends its session, and releases the folder", async () => {
    const host = await testHost("process", { drainMs: 30_000 });
    const { dataDir, server } = host;
    const file = join(testFolder(), "go");
    const run = server.trigger("waits", { payload: { file } });
    await server.startOf(run);
    const stopped = host.stop();
    server.trigger("echo", { payload: "too late" });
    writeFileSync(file, "");
    await stopped;
    expect(server.outcome(run)).toMatchObject({ type: "success" });
    expect(server.goodbyes).toEqual(server.sessions);
    expect(readdirSync(join(dataDir, "processes"))).toEqual([]);
    await testHost("process", { server, dataDir });
    expect(server.hostIds.size).toBe(1);
    expect(server.sessions.length).toBe(2);
  });

  it("returns runs that do not end in time, and kills them", async () => {
    const host = await testHost("process", { drainMs: 100 });
    const { server } = host;
    const run = server.trigger("ignores-cancel");
    await server.startOf(run);
    await host.stop();
    expect(server.outcome(run)).toMatchObject({
      type: "released",
      reason: expect.stringContaining("stopped"),
    });
    expect(server.goodbyes.length).toBe(1);
  });

  it("returns runs that arrive after it began", async () => {
    const host = await testHost("process", { drainMs: 30_000 });
    const { server } = host;
    const busy = server.trigger("waits", { payload: {} });
    await server.startOf(busy);
    await server.until("a poll with room", () => [...server.polls].some(({ request }) => request.max > 0));
    const stopped = host.stop();
    const late = server.trigger("echo", { payload: 1 });
    expect(await server.outcomeOf(late)).toMatchObject({ type: "released" });
    server.notify({ type: "cancel", runId: busy.runId, token: busy.token });
    await stopped;
    expect(server.outcome(busy)).toEqual({ type: "canceled" });
  });
});

describe("metrics", { timeout: 60_000 }, () => {
  it("report runs with their outcomes, and whether the host is healthy", async () => {
    const { metric, metricsUrl, server } = await testHost("process");
    await server.outcomeOf(server.trigger("noop"));
    await server.outcomeOf(server.trigger("exits", { payload: { code: 1 } }));
    expect(await metric("attempts_started_total")).toBe(2);
    expect(await metric("attempts_ended_total", '{outcome="success",code=""}')).toBe(1);
    expect(
      await metric(
        "attempts_ended_total",
        '{outcome="failure",code="TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"}',
      ),
    ).toBe(1);
    const health = await fetch(`${metricsUrl}/healthz`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ ok: true, executor: "process", attempts: 0 });
    expect((await fetch(`${metricsUrl}/else`)).status).toBe(404);
  });
});

describe("the data folder", { timeout: 60_000 }, () => {
  it("belongs to one host at a time", async () => {
    const { dataDir, server } = await testHost("process");
    await expect(testHost("process", { server, dataDir })).rejects.toThrow(
      new RegExp(`in use by another container host \\(process ${process.pid}\\)`),
    );
    expect(existsSync(join(dataDir, "host-id"))).toBe(true);
  });
});
