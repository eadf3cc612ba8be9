/** A Docker Engine whose checkpoints never end: real containers, a real CRIU that is stopped while it holds their processes. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../tests/support/eventually.ts";
import type { Remembered } from "./fixtures/durable-tasks.ts";
import { canStartEngine, type HangingEngine, startHangingEngine } from "./support/hanging-engine.ts";
import { isAlive, type TestHost, testFolder, testHost, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";

const DEADLINE = { timeout: 180_000 };

const healthOf = async (
  host: TestHost,
): Promise<{ ok: boolean; checkpoints: string; checkpointsProblem?: string }> =>
  (await fetch(`${host.metricsUrl}/healthz`)).json() as never;

describe.skipIf(!canStartEngine())("a Docker Engine whose checkpoints hang", DEADLINE, () => {
  let engine: HangingEngine;
  const before = process.env.DOCKER_HOST;

  beforeAll(async () => {
    engine = await startHangingEngine();
    process.env.DOCKER_HOST = engine.url;
  }, 120_000);
  afterAll(async () => {
    if (before === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = before;
    await engine?.stop();
  }, 60_000);

  const states = async (host: TestHost): Promise<string[]> => {
    const filters = { label: [`acme.host=${host.hostId}`] };
    return (await new Docker().listContainers({ all: true, filters })).map(({ State }) => State);
  };
  const checkpointsOf = ({ dataDir }: TestHost): string[] =>
    existsSync(join(dataDir, "checkpoints")) ? readdirSync(join(dataDir, "checkpoints")) : [];
  const hangs = (host: TestHost, step: "save" | "restore") =>
    host.metric("checkpoint_hangs_total", `{step="${step}"}`);

  it("delays no run: suspensions are reported at once, hanging saves are killed, and no more are tried after that", async () => {
    engine.hang(true);
    const host = await testHost("docker");
    const { server, untilMetric } = host;
    const runs = ["a", "b"].map((name) => server.trigger("remembers", { payload: { name } }));
    for (const run of runs) expect((await server.suspensionOf(run)).checkpoint).toBeTruthy();
    await eventually("a save hangs", async () => (await states(host)).includes("paused"));
    // Other runs are not delayed by that.
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    // Resumed while its process is being saved: it is replayed.
    const first = await server.resume(runs[0]!);
    await server.outputOf<Remembered>(first);
    expect(server.resumedBy(first)).toEqual({ by: "replay", reason: "its process is still being saved" });
    await untilMetric("saving", 0);
    expect(await hangs(host, "save")).toBe(2);
    expect(checkpointsOf(host)).toEqual([]);
    await eventually("no container is paused", async () => !(await states(host)).includes("paused"));
    expect(engine.stopped().some(isAlive)).toBe(false);
    const second = await server.resume(runs[1]!);
    await server.outputOf<Remembered>(second);
    expect(server.resumedBy(second)).toEqual({
      by: "replay",
      reason: expect.stringMatching(
        /could not be saved: Saving the process took longer than \d+ s: its CRIU was killed/,
      ),
    });
    // Two in a row: processes are not saved for a time, although it would work again.
    engine.hang(false);
    expect(await healthOf(host)).toMatchObject({
      ok: true,
      checkpoints: "paused",
      checkpointsProblem: expect.stringContaining("took longer than"),
    });
    const third = server.trigger("remembers", { payload: { name: "c" } });
    const suspension = await server.suspensionOf(third);
    expect(suspension.checkpoint ?? null).toBeNull();
    expect(suspension.checkpointError).toMatch(
      /^checkpoints are paused on this host: Saving the process took longer/,
    );
    await server.outputOf(await server.resume(third));
  });

  it("replays a run whose restoration hangs", async () => {
    engine.hang(false);
    const host = await testHost("docker");
    const { server, untilMetric } = host;
    const run = server.trigger("remembers");
    await server.suspensionOf(run);
    await untilMetric("checkpoints", 1);
    engine.hang(true);
    const again = await server.resume(run);
    await server.outputOf<Remembered>(again);
    engine.hang(false);
    expect(server.resumedBy(again)).toEqual({
      by: "replay",
      reason: expect.stringMatching(/Restoring the process took longer than \d+ s/),
    });
    expect(await hangs(host, "restore")).toBe(1);
    expect(checkpointsOf(host)).toEqual([]);
    expect(engine.stopped().some(isAlive)).toBe(false);
    await eventually("one container is left", async () => (await states(host)).length === 1);
  });

  it("is found out by the self-test, while runs are taken and replayed", async () => {
    engine.hang(true);
    const host = await testHost("docker", { selfTest: true });
    const { server } = host;
    expect(await healthOf(host)).toMatchObject({ ok: true, checkpoints: "testing" });
    const run = server.trigger("remembers");
    expect((await server.suspensionOf(run)).checkpointError).toMatch(/still being tested/);
    const again = await server.resume(run);
    await server.outputOf<Remembered>(again);
    expect(server.resumedBy(again)).toEqual({ by: "replay" });
    await eventually("the self-test is over", async () => (await healthOf(host)).checkpoints === "paused");
    expect(host.said.join("\n")).toMatch(/a self-test failed \(Saving the process took longer than/);
    expect(await hangs(host, "save")).toBe(1);
    engine.hang(false);
    expect(engine.stopped().some(isAlive)).toBe(false);
    // It may only have been busy: a second self-test follows soon, and works.
    await eventually("checkpoints are on", async () => (await healthOf(host)).checkpoints === "open");
    expect(host.said.join("\n")).toMatch(/a self-test saved one in \d+ ms and restored it in \d+ ms/);
    await eventually("nothing of it is left", async () => (await states(host)).length === 0);
  });

  it("does not outlive a host that is stopped while its self-test, or a save, hangs", async () => {
    engine.hang(true);
    const tested = await testHost("docker", { selfTest: true });
    const hung = engine.stopped().length;
    await eventually("the self-test hangs", () => engine.stopped().length > hung);
    await tested.stop();
    expect(engine.stopped().some(isAlive)).toBe(false);
    expect(await states(tested)).toEqual([]);
    expect(tested.said.filter((line) => line.startsWith("warn"))).toEqual([]);

    const saving = await testHost("docker");
    await saving.server.suspensionOf(saving.server.trigger("remembers"));
    await eventually("a save hangs", async () => (await states(saving)).includes("paused"));
    await saving.kill();
    expect(engine.stopped().some(isAlive)).toBe(false);
    expect(await states(saving)).toEqual([]);
  });

  it("does not outlive a host that was killed: the host's next start ends its CRIU", async () => {
    engine.hang(true);
    const dataDir = testFolder();
    const server = await testServer();
    const hung = engine.stopped().length;
    const killed = hostProcess({
      apiUrl: server.url,
      dataDir,
      args: ["--executor", "docker"],
      env: { DOCKER_HOST: engine.url },
    });
    await eventually("the self-test hangs", () => engine.stopped().length > hung);
    killed.child.kill("SIGKILL");
    await killed.exited;
    const left = engine.stopped().filter(isAlive);
    expect(left.length).toBeGreaterThan(0);
    engine.hang(false);
    const next = await testHost("docker", { server, dataDir });
    expect(left.some(isAlive)).toBe(false);
    expect(next.said.join("\n")).toMatch(/an earlier process of this host left behind/);
    expect(await states(next)).toEqual([]);
  });
});
