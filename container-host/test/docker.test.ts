/** The host with real containers, against a scripted server. Needs a Docker Engine, and fails without one on Linux. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import Docker from "dockerode";
import { describe, expect, it } from "vitest";
import { projectBundle } from "./support/bundle.ts";
import { testFolder, testHost, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";

const docker = new Docker();

const containersOf = (hostId: string) =>
  docker.listContainers({ all: true, filters: { label: [`acme.host=${hostId}`] } });

const internal = (code: string, message?: RegExp) => ({
  type: "failure",
  error: { type: "INTERNAL_ERROR", code, ...(message ? { message: expect.stringMatching(message) } : {}) },
});

describe.skipIf(process.platform !== "linux")("the Docker executor", { timeout: 120_000 }, () => {
  it("runs a task in a container, and the next in the same one", async () => {
    const { hostId, metric, server } = await testHost("docker");
    expect(await server.outputOf(server.trigger("echo", { payload: { a: 1 } }))).toEqual({ a: 1 });
    expect(await server.outputOf(server.trigger("echo", { payload: 2 }))).toBe(2);
    expect(await metric("runtime_start_seconds_count")).toBe(1);
    expect((await containersOf(hostId)).length).toBe(1);
  });

  it("leaves neither containers nor sockets behind", async () => {
    const host = await testHost("docker");
    await host.server.outputOf(host.server.trigger("echo", { payload: 1 }));
    await host.stop();
    expect(await containersOf(host.hostId)).toEqual([]);
    expect(readdirSync(host.dataDir)).not.toContain("s");
    expect(host.server.goodbyes.length).toBe(1);
  });

  it("fails as the process executor does: thrown error, exit code with last words, full heap", async () => {
    const { server } = await testHost("docker");
    const thrown = server.trigger("fails");
    const exited = server.trigger("exits", { payload: { code: 3 } });
    const heap = server.trigger("fills-heap", { machine: "micro" });
    expect(await server.outcomeOf(thrown)).toMatchObject({ error: { name: "TypeError" }, retry: null });
    expect(await server.outcomeOf(exited)).toMatchObject(
      internal("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", /ended with code 3[\s\S]*last words/),
    );
    expect(await server.outcomeOf(heap)).toMatchObject(internal("TASK_PROCESS_OOM_KILLED", /heap was full/));
  });

  it("reports that the memory limit of the container killed the process", async () => {
    const { server } = await testHost("docker");
    const run = server.trigger("fills-memory", { machine: "micro" });
    expect(await server.outcomeOf(run)).toMatchObject(
      internal("TASK_PROCESS_OOM_KILLED", /memory limit \(0\.25 GB of micro\)/),
    );
  });

  it("reports a container that somebody else kills or removes", async () => {
    const { hostId, server } = await testHost("docker");
    for (const end of [
      (id: string) => docker.getContainer(id).kill({ signal: "SIGKILL" }),
      (id: string) => docker.getContainer(id).remove({ force: true }),
    ]) {
      const run = server.trigger("waits", { payload: {} });
      await server.startOf(run);
      const [container] = await containersOf(hostId);
      await end(container!.Id);
      expect(await server.outcomeOf(run)).toMatchObject(internal("TASK_PROCESS_CRASHED", /SIGKILL/));
    }
  });

  it("kills a canceled task that does not end", async () => {
    const { server, untilMetric } = await testHost("docker", { cancelGraceMs: 50 });
    const run = server.trigger("blocks");
    await server.startOf(run);
    server.notify({ type: "cancel", runId: run.runId, token: run.token });
    expect(await server.outcomeOf(run)).toEqual({ type: "canceled" });
    await untilMetric("runtimes", 0);
  });

  it("returns a run that does not end while the host stops", async () => {
    const host = await testHost("docker", { drainMs: 50 });
    const run = host.server.trigger("ignores-cancel");
    await host.server.startOf(run);
    await host.stop();
    expect(host.server.outcome(run)).toMatchObject({ type: "released" });
    expect(await containersOf(host.hostId)).toEqual([]);
  });

  it("stops what runs when the lease is lost", async () => {
    const server = await testServer();
    const { hostId } = await testHost("docker", { server, heartbeatMs: 100 });
    const run = server.trigger("waits", { payload: {} });
    await server.startOf(run);
    server.verdict = (kind) => (kind === "heartbeats" ? "stale" : "ok");
    let left = 1;
    while (left > 0) left = (await containersOf(hostId)).length;
    expect(server.outcome(run)).toBeUndefined();
  });

  it("after kill -9 of the host: the next start removes its containers", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    // Without checkpoints there is no self-test, which has a container too.
    const args = ["--executor", "docker", "--spares", "0", "--checkpoints", "off"];
    const first = hostProcess({ apiUrl: server.url, dataDir, args });
    const { executor, hostId } = await first.ready;
    expect(executor).toBe("docker");
    // Its thread is blocked: it does not notice that its host is gone.
    const run = server.trigger("blocks");
    await server.startOf(run);
    first.child.kill("SIGKILL");
    await first.exited;
    expect((await containersOf(hostId)).map(({ State }) => State)).toEqual(["running"]);

    const second = hostProcess({ apiUrl: server.url, dataDir, args });
    await second.ready;
    expect(await containersOf(hostId)).toEqual([]);
    expect(second.errors()).toMatch(/Ended 1 runtimes/);
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    second.child.kill("SIGTERM");
    expect(await second.exited).toEqual({ code: 0, signal: null });
  });

  it("`auto` chooses it where the Engine answers, and processes where it does not", async () => {
    const server = await testServer();
    const found = hostProcess({ apiUrl: server.url, dataDir: testFolder(), args: ["--executor", "auto"] });
    expect((await found.ready).executor).toBe("docker");
    const env = { DOCKER_HOST: "unix:///nonexistent/docker.sock" };
    const missing = hostProcess({
      apiUrl: server.url,
      dataDir: testFolder(),
      args: ["--executor", "auto"],
      env,
    });
    expect((await missing.ready).executor).toBe("process");
    const asked = hostProcess({
      apiUrl: server.url,
      dataDir: testFolder(),
      args: ["--executor", "docker"],
      env,
    });
    expect((await asked.exited).code).toBe(1);
    expect(asked.errors()).toMatch(/Docker can't be used.*Is its Engine running/);
    found.child.kill("SIGTERM");
    await found.exited;
  });

  it("takes as many runs at a time as memory allows", async () => {
    const { metric, server } = await testHost("docker", {
      // All memory except that of two runs is reserved for the machine.
      memoryReserve: (await memoryOfMachine()) - 1.2 * 1024 ** 3,
    });
    const runs = [1, 2, 3].map(() => server.trigger("waits", { payload: {} }));
    await server.until("two started", () => server.started.length === 2);
    await server.until("a poll for notices", () =>
      [...server.polls].some(({ request }) => request.max === 0),
    );
    expect(await metric("running")).toBe(2);
    expect(server.runs.length).toBe(1);
    const done = server.started[0];
    server.notify({ type: "cancel", runId: done!.runId, token: done!.token });
    await server.until("the third started", () => server.started.length === 3);
    expect(runs.length).toBe(3);
  });
});

const memoryOfMachine = async (): Promise<number> => ((await docker.info()) as { MemTotal: number }).MemTotal;

describe.skipIf(process.platform !== "linux")("a run in a container", { timeout: 120_000 }, () => {
  it("is limited and unprivileged", async () => {
    const { hostId, server } = await testHost("docker");
    const { env, execArgv, uid } = await server.outputOf<{
      uid: number;
      env: Record<string, string>;
      execArgv: string[];
    }>(server.trigger("whoami", { machine: "small-1x" }));
    expect(uid).toBe(65_532);
    expect(execArgv).toContain("--max-old-space-size=384");
    expect(env.ACME_CHANNEL_TOKEN).toBeUndefined();
    const [container] = await containersOf(hostId);
    const { HostConfig } = await docker.getContainer(container!.Id).inspect();
    expect(HostConfig).toMatchObject({
      Memory: 512 * 1024 ** 2,
      MemorySwap: 512 * 1024 ** 2,
      NanoCpus: 5e8,
      PidsLimit: 512,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      Privileged: false,
      NetworkMode: "acme-runs",
    });
  });

  it("writes to /tmp only", async () => {
    const { server } = await testHost("docker");
    expect(await server.outputOf(server.trigger("writes", { payload: { path: "/tmp/x" } }))).toBe("written");
    for (const path of [
      "/x",
      "/acme/x",
      "/acme-bundle/bundle.mjs",
      "/acme-runtime/main.mjs",
      "/etc/passwd",
    ]) {
      expect(await server.outcomeOf(server.trigger("writes", { payload: { path } }))).toMatchObject({
        type: "failure",
        error: { type: "BUILT_IN_ERROR", message: expect.stringMatching(/EROFS|EACCES/) },
      });
    }
  });

  it("has no capability, and can't gain one", async () => {
    const { server } = await testHost("docker");
    const status = await server.outputOf<string>(
      server.trigger("reads-file", { payload: { path: "/proc/self/status" } }),
    );
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, "m"));
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
  });

  it("sees only its own channel", async () => {
    const { server } = await testHost("docker");
    const other = server.trigger("waits", { payload: {}, environment: "env00002" });
    await server.startOf(other);
    expect(await server.outputOf(server.trigger("lists", { payload: { path: "/acme" } }))).toEqual([
      "host.sock",
    ]);
  });

  it("can't reach another run's port", async () => {
    const { server } = await testHost("docker");
    const listening = server.trigger("listens", { payload: { port: 4_444 }, environment: "env00002" });
    const address = await server.until("its address", () => {
      const entry = server.logs
        .get(listening.runId)
        ?.find(({ message }) => message.startsWith("listening on"));
      return entry?.message.split(" ").at(-1);
    });
    // This machine can: it listens.
    await new Promise<void>((resolve, reject) => {
      const socket = createConnection({ host: address, port: 4_444 }, () => {
        socket.destroy();
        resolve();
      });
      socket.on("error", reject);
    });
    const attempt = server.trigger("connects", { payload: { host: address, port: 4_444 } });
    expect(await server.outputOf(attempt)).not.toBe("open");
  });

  it("can't reach what listens on this machine's loopback address, but the API", async () => {
    const { metricsUrl, server } = await testHost("docker");
    for (const { port } of [new URL(metricsUrl!), new URL(server.url)]) {
      const run = server.trigger("connects", { payload: { host: "127.0.0.1", port: Number(port) } });
      expect(await server.outputOf(run)).toBe("ECONNREFUSED");
    }
    const { body, status } = await server.outputOf<{ status: number; body: string }>(
      server.trigger("asks-api"),
    );
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({ ok: true, as: expect.stringMatching(/^Bearer api-token-of-run_/) });
  });

  it("of another environment never shares a container", async () => {
    const { hostId, server } = await testHost("docker");
    await server.outcomeOf(server.trigger("noop"));
    await server.outcomeOf(server.trigger("noop", { environment: "env00002" }));
    const found = await containersOf(hostId);
    expect(found.map(({ Labels }) => Labels["acme.environment"]).sort()).toEqual(["env00000", "env00002"]);
  });

  it("works where the data folder's path is too long for a socket", async () => {
    const dataDir = join(testFolder(), "a".repeat(100));
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, "host-id"), `host_long${Date.now()}\n`);
    const { server } = await testHost("docker", { dataDir });
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect((await projectBundle()).hash).toMatch(/^[0-9a-f]{64}$/);
  });
});
