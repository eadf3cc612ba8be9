/** Runs whose processes are saved and restored, with real containers and CRIU, against a scripted server. */
import { once } from "node:events";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { describe, expect, it } from "vitest";
import { eventually } from "../../tests/support/eventually.ts";
import { withDocker } from "../../tests/support/with-docker.ts";
import type { Remembered } from "./fixtures/durable-tasks.ts";
import { type TestHost, testFolder, testHost, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";

const docker = new Docker();

/** Ids of the host's containers, also of those that were created or have ended. */
const containersOf = async (hostId: string): Promise<string[]> => {
  const filters = { label: [`acme.host=${hostId}`] };
  return (await docker.listContainers({ all: true, filters })).map(({ Id }) => Id);
};

const untilNoContainers = (hostId: string): Promise<true> =>
  eventually("the host's containers are gone", async () => (await containersOf(hostId)).length === 0);

const folderOf = ({ dataDir }: TestHost): string => join(dataDir, "checkpoints");

/** Every file and folder below. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));

const copiesOfEngine = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("ctrd-"));

const pick = (folder: string, pattern: RegExp): string => {
  const file = filesBelow(folder).find((name) => pattern.test(name));
  if (!file) throw new Error(`No file like ${pattern} in ${folder}`);
  return file;
};

/** All values of a run that continued in the same process. */
function expectSameProcess({ calls, counted, randoms, secrets }: Remembered, waits: number): void {
  expect(calls).toEqual(Array(waits + 1).fill(1));
  expect(counted).toEqual(Array.from({ length: waits + 1 }, (_, n) => n + 1));
  expect(new Set(secrets).size).toBe(1);
  expect(new Set(randoms).size).toBe(1);
}

/** A run that is suspended; its process is saved, or could not be saved. */
async function suspendedBy(host: TestHost, task = "remembers", payload?: unknown) {
  const run = host.server.trigger(task, { payload });
  const { checkpoint, checkpointError } = await host.server.suspensionOf(run);
  if (!checkpoint) throw new Error(`No checkpoint was announced: ${checkpointError}`);
  await host.untilMetric("saving", 0);
  return { run, checkpoint };
}

/** A run whose process was saved by the host. */
async function savedBy(host: TestHost) {
  const { checkpoint, run } = await suspendedBy(host);
  if (await host.metric("failed_checkpoints_total")) throw new Error(host.said.join("\n"));
  return { run, checkpoint };
}

describe.skipIf(!withDocker())("a process that is saved", { timeout: 120_000 }, () => {
  it("resumes where it left off, each time; no container of it exists in between", async () => {
    const host = await testHost("docker");
    const { hostId, server, untilMetric } = host;
    let run = server.trigger("remembers", { payload: { times: 2 } });
    for (const wait of [1, 3]) {
      const suspension = await server.suspensionOf(run);
      expect(suspension).toMatchObject({ waits: [wait], checkpoint: { hostId, id: expect.any(String) } });
      await untilNoContainers(hostId);
      await untilMetric("running", 0);
      run = await server.resume(run);
    }
    expectSameProcess(await server.outputOf<Remembered>(run), 2);
    expect(server.started.map(({ resumed }) => resumed)).toEqual([
      undefined,
      { by: "checkpoint" },
      { by: "checkpoint" },
    ]);
    expect(server.effects).toEqual(["step-1", "step-2"]);
    // It takes other runs like any other.
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect((await containersOf(hostId)).length).toBe(1);
  });

  it("is in files that only the host's user can read, until the process continues", async () => {
    const copies = copiesOfEngine();
    const host = await testHost("docker");
    const { server, untilMetric } = host;
    const { run, checkpoint } = await savedBy(host);
    const own = join(folderOf(host), checkpoint.id);
    for (const path of [folderOf(host), own, ...filesBelow(own)]) {
      const { mode, uid } = statSync(path);
      expect([path, (mode & 0o077).toString(8), uid]).toEqual([path, "0", process.getuid?.()]);
    }
    expect(await host.metric("checkpoints")).toBe(1);
    expect(await host.metric("checkpoint_bytes")).toBeGreaterThan(1_000_000);
    await server.outputOf(await server.resume(run));
    expect(readdirSync(folderOf(host))).toEqual([]);
    await untilMetric("checkpoint_bytes", 0);
    // The copies that the Engine makes in between are gone too.
    await eventually("the Engine's copy is gone", () =>
      copiesOfEngine().every((name) => copies.includes(name)),
    );
  });

  it("is restored after its host was killed with -9 and started again", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    const args = ["--executor", "docker", "--spares", "0"];
    const first = hostProcess({ apiUrl: server.url, dataDir, args });
    const { metricsUrl } = await first.ready;
    await eventually("the self-test is over", async () => {
      const health = (await (await fetch(`${metricsUrl}/healthz`)).json()) as { checkpoints: string };
      return health.checkpoints === "open";
    });
    const run = server.trigger("remembers");
    await server.suspensionOf(run);
    await eventually("it is saved", () =>
      filesBelow(join(dataDir, "checkpoints")).some((file) => file.endsWith("about.json")),
    );
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    const host = await testHost("docker", { server, dataDir });
    const again = await server.resume(run);
    expectSameProcess(await server.outputOf<Remembered>(again), 1);
    expect(server.resumedBy(again)).toEqual({ by: "checkpoint" });
    expect(readdirSync(folderOf(host))).toEqual([]);
  });

  it("is restored by another host that shares the folder", async () => {
    const checkpointDir = testFolder();
    const first = await testHost("docker", { checkpointDir });
    const { server } = first;
    const { run, checkpoint } = await savedBy(first);
    expect(checkpoint.hostId).toBe(first.hostId);
    const second = await testHost("docker", { server, checkpointDir });
    const again = await server.resume(run);
    expectSameProcess(await server.outputOf<Remembered>(again), 1);
    expect(server.resumedBy(again)).toEqual({ by: "checkpoint" });
    expect(readdirSync(checkpointDir)).toEqual([]);
    expect((await containersOf(second.hostId)).length).toBe(1);
  });

  it("continues at once if an operation it waits for completed before the report", async () => {
    const host = await testHost("docker");
    const { server } = host;
    server.suspend = ({ runId, waits }) => ({
      verdict: "resume",
      completed: waits.map((number) => ({ runId, number, result: { ok: true } })),
    });
    const run = server.trigger("remembers");
    expectSameProcess(await server.outputOf<Remembered>(run), 1);
    expect(server.suspensions).toMatchObject([{ verdict: "resume", checkpoint: { hostId: host.hostId } }]);
    expect(server.completed).toMatchObject([{ token: run.token }]);
    expect(readdirSync(folderOf(host))).toEqual([]);
  });

  it("whose run needs it no more is deleted", async () => {
    const host = await testHost("docker", { heartbeatMs: 50 });
    const { server, untilMetric } = host;
    const kept = await savedBy(host);
    const dropped = await savedBy(host);
    server.keep = ({ id }) => (id === dropped.checkpoint.id ? "drop" : "keep");
    await untilMetric("checkpoints", 1);
    expect(readdirSync(folderOf(host))).toEqual([kept.checkpoint.id]);
    expect(server.keptCheckpoints).toContainEqual({ runId: dropped.run.runId, id: dropped.checkpoint.id });
  });

  it("and canceled meanwhile leaves neither containers nor files", async () => {
    const host = await testHost("docker", { heartbeatMs: 50 });
    const { hostId, server, untilMetric } = host;
    server.keep = () => "drop";
    server.trigger("remembers");
    await eventually("it is being saved", () => readdirSync(folderOf(host)).length > 0);
    await untilMetric("runtimes", 0);
    await untilNoContainers(hostId);
    await eventually("its file is gone", () => readdirSync(folderOf(host)).length === 0);
  });

  it("continues in the same process where its run is resumed while it is being saved", async () => {
    const host = await testHost("docker");
    const { server } = host;
    const run = server.trigger("remembers");
    await eventually("it is being saved", () => readdirSync(folderOf(host)).length > 0);
    const again = await server.resume(run);
    expectSameProcess(await server.outputOf<Remembered>(again), 1);
    expect(server.resumedBy(again)).toEqual({ by: "checkpoint" });
    expect(readdirSync(folderOf(host))).toEqual([]);
  });

  it("and whose container is removed meanwhile loses nothing", async () => {
    const host = await testHost("docker");
    const { hostId, server, untilMetric } = host;
    const run = server.trigger("remembers");
    await eventually("it is being saved", () => readdirSync(folderOf(host)).length > 0);
    const [id] = await containersOf(hostId);
    // It may just have been saved, and ended by that: then there is nothing to remove.
    if (id)
      await docker
        .getContainer(id)
        .remove({ force: true })
        .catch(() => {});
    await server.outputOf(await server.resume(run));
    expect(server.effects).toEqual(["step-1"]);
    await untilMetric("running", 0);
    expect(readdirSync(folderOf(host))).toEqual([]);
  });
});

describe.skipIf(!withDocker())("a run is replayed", { timeout: 120_000 }, () => {
  it("where its checkpoint was evicted for newer ones, the oldest first", async () => {
    const first = await testHost("docker");
    const { dataDir, server } = first;
    const old = await savedBy(first);
    const bytes = await first.metric("checkpoint_bytes");
    await first.stop();

    const host = await testHost("docker", { server, dataDir, checkpointBytes: Math.round(bytes * 1.7) });
    const young = await savedBy(host);
    expect(readdirSync(folderOf(host))).toEqual([young.checkpoint.id]);
    const replayed = await server.resume(old.run);
    const { randoms } = await server.outputOf<Remembered>(replayed);
    expect(new Set(randoms).size).toBe(1);
    expect(server.resumedBy(replayed)).toEqual({
      by: "replay",
      reason: expect.stringContaining("evicted to free space"),
    });
    const restored = await server.resume(young.run);
    expectSameProcess(await server.outputOf<Remembered>(restored), 1);
  });

  it("where its process is too large to be saved at all", async () => {
    const host = await testHost("docker", { checkpointBytes: 1_000_000 });
    const { hostId, server } = host;
    const { run } = await suspendedBy(host);
    expect(readdirSync(folderOf(host))).toEqual([]);
    await untilNoContainers(hostId);
    const again = await server.resume(run);
    await server.outputOf(again);
    expect(server.resumedBy(again)).toEqual({
      by: "replay",
      reason: expect.stringMatching(/\d+ bytes, more than --checkpoint-bytes \(1000000\)/),
    });
    expect(server.effects).toEqual(["step-1"]);
  });

  it("where its process can't be saved: it holds a connection, as CRIU says", async () => {
    const host = await testHost("docker");
    const { hostId, server } = host;
    const { run } = await suspendedBy(host, "holds", { what: "connection" });
    expect(await host.metric("failed_checkpoints_total")).toBe(1);
    expect(await host.metric("checkpoints_open")).toBe(1);
    expect(readdirSync(folderOf(host))).toEqual([]);
    await untilNoContainers(hostId);
    const again = await server.resume(run);
    expect(await server.outputOf(again)).toMatchObject({ state: "open" });
    expect(server.resumedBy(again)).toEqual({
      by: "replay",
      reason: expect.stringMatching(/could not be saved: CRIU: inet: Connected TCP socket/),
    });
  });

  it.each([
    ["cut off", /pages-.*\.img$/, (file: string) => truncateSync(file, 4_096), /is damaged/],
    [
      "overwritten",
      /core-1\.img$/,
      (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
      /restore/,
    ],
  ])("where a file that was saved is %s", async (_, pattern, damage, reason) => {
    const host = await testHost("docker");
    const { hostId, server } = host;
    const { run, checkpoint } = await savedBy(host);
    damage(pick(join(folderOf(host), checkpoint.id), pattern));
    const again = await server.resume(run);
    const { secrets } = await server.outputOf<Remembered>(again);
    expect(secrets.length).toBe(2);
    expect(server.resumedBy(again)).toEqual({ by: "replay", reason: expect.stringMatching(reason) });
    expect(server.effects).toEqual(["step-1"]);
    expect(readdirSync(folderOf(host))).toEqual([]);
    expect((await containersOf(hostId)).length).toBe(1);
  });

  it("where a machine of another kind saved it", async () => {
    const host = await testHost("docker");
    const { server } = host;
    const { run, checkpoint } = await savedBy(host);
    const file = join(folderOf(host), checkpoint.id, "about.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), kind: "other" }));
    const again = await server.resume(run);
    await server.outputOf(again);
    expect(server.resumedBy(again)).toEqual({
      by: "replay",
      reason: "its checkpoint is of another kind of machine",
    });
  });

  it("where the files are gone with the host that saved it", async () => {
    const first = await testHost("docker");
    const { server } = first;
    const { run } = await savedBy(first);
    rmSync(folderOf(first), { recursive: true });
    await testHost("docker", { server });
    const again = await server.resume(run);
    await server.outputOf(again);
    expect(server.resumedBy(again)).toMatchObject({
      by: "replay",
      reason: expect.stringContaining("on another host"),
    });
  });

  it("with `--checkpoints off`: its container takes others meanwhile", async () => {
    const host = await testHost("docker", { checkpoints: "off" });
    const { hostId, server } = host;
    const run = server.trigger("remembers");
    const suspension = await server.suspensionOf(run);
    expect(suspension.checkpoint ?? null).toBeNull();
    expect(suspension).not.toHaveProperty("checkpointError");
    const before = await containersOf(hostId);
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    const again = await server.resume(run);
    const { calls } = await server.outputOf<Remembered>(again);
    expect(calls).toEqual([2, 2]);
    expect(server.resumedBy(again)).toEqual({ by: "replay" });
    expect(await containersOf(hostId)).toEqual(before);
    expect(existsSync(folderOf(host)) ? readdirSync(folderOf(host)) : []).toEqual([]);
  });
});
