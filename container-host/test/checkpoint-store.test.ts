/** Saved processes on disk, without an Engine: budget, sharing, what is incomplete or damaged, restarts. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { newId } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import { Checkpoints, type CheckpointsOptions, type SavedProcess } from "../src/checkpoints/store.ts";
import { logTo } from "../src/log.ts";
import { testFolder } from "./support/host.ts";

const about = (runId: string): Parameters<Checkpoints["create"]>[1] => ({
  runId,
  startedAt: 1,
  runs: 0,
  image: "image",
  channelToken: "secret",
  spec: {
    environmentKey: "env",
    contentHash: "hash",
    machine: "micro",
    env: { KEY: "value" },
  },
});

function open(folder: string, more: Partial<CheckpointsOptions> = {}): Checkpoints {
  return new Checkpoints({
    folder,
    hostId: "host_a",
    kind: "kind",
    maxBytes: 1_000,
    log: logTo(() => {}),
    monotonicSeconds: () => 100,
    ...more,
  });
}

const save = (store: Checkpoints, runId: string, bytes = 100): Promise<SavedProcess> =>
  store.create(newId("checkpoint"), about(runId), async (folder) => {
    mkdirSync(join(folder, "process"), { mode: 0o755 });
    writeFileSync(join(folder, "process", "pages"), Buffer.alloc(bytes), { mode: 0o644 });
  });

describe("a saved process", () => {
  it("is found by its run, with everything that it was started with", async () => {
    const store = open(testFolder());
    const saved = await save(store, "run_1");
    expect(saved).toMatchObject({ ...about("run_1"), hostId: "host_a", bytes: 100, monotonicSeconds: 100 });
    expect(store.find(saved.id, "run_1")).toEqual(saved);
    expect(readFileSync(join(store.memoryOf(saved.id), "process", "pages")).length).toBe(100);
    expect([store.count, store.bytes]).toEqual([1, 100]);
  });

  it("is readable only by the host's user", async () => {
    const folder = join(testFolder(), "new");
    const store = open(folder);
    const { id } = await save(store, "run_1");
    const names = readdirSync(join(folder, id), { recursive: true }).map(String);
    expect(names.sort()).toEqual(["about.json", "memory", "memory/process", "memory/process/pages"]);
    for (const path of [folder, join(folder, id), ...names.map((name) => join(folder, id, name))])
      expect([path, statSync(path).mode & 0o077]).toEqual([path, 0]);
  });

  it("leaves nothing if saving it fails, and says why", async () => {
    const folder = testFolder();
    const store = open(folder);
    const failing = store.create(newId("checkpoint"), about("run_1"), async (memory) => {
      writeFileSync(join(memory, "half"), "x");
      throw new Error("CRIU: no");
    });
    await expect(failing).rejects.toThrow("CRIU: no");
    expect(readdirSync(folder)).toEqual([]);
    expect([store.count, store.bytes]).toEqual([0, 0]);
  });

  it("is gone with its files when it is dropped, also twice", async () => {
    const folder = testFolder();
    const store = open(folder);
    const { id } = await save(store, "run_1");
    store.drop(id);
    store.drop(id);
    expect(readdirSync(folder)).toEqual([]);
    expect(store.bytes).toBe(0);
    expect(store.find(id, "run_1")).toMatch(/on another host, or was evicted/);
  });

  it("is not restored as another run's, or by a name that points elsewhere", async () => {
    const store = open(testFolder());
    const { id } = await save(store, "run_1");
    expect(store.find(id, "run_2")).toMatch(/on another host/);
    const outside = join(testFolder(), "outside");
    mkdirSync(outside);
    for (const name of [`../${id}`, `../../${outside}`, "."]) {
      expect(store.find(name, "run_1")).toBe("its checkpoint has no valid name");
      store.drop(name);
    }
    expect(existsSync(outside)).toBe(true);
    expect(store.find(id, "run_1")).toMatchObject({ id });
  });

  it.each([
    ["shorter", (file: string) => writeFileSync(file, "x")],
    ["longer", (file: string) => appendFileSync(file, "x")],
    ["gone", (file: string) => rmSync(file)],
  ])("is damaged where a file is %s", async (_, damage) => {
    const store = open(testFolder());
    const { id } = await save(store, "run_1");
    damage(join(store.memoryOf(id), "process", "pages"));
    expect(store.find(id, "run_1")).toBe("its checkpoint is damaged");
  });

  it("is refused by machines of another kind, and after a restart of its own", async () => {
    const folder = testFolder();
    const { id } = await save(open(folder), "run_1");
    expect(open(folder, { kind: "other" }).find(id, "run_1")).toMatch(/another kind of machine/);
    const restarted = { monotonicSeconds: () => 99 };
    expect(open(folder, restarted).find(id, "run_1")).toMatch(/was restarted since/);
    expect(open(folder, { ...restarted, hostId: "host_b" }).find(id, "run_1")).toMatch(/clock is ahead/);
  });
});

describe("the budget", () => {
  it("removes the oldest first, also when they were asked about meanwhile", async () => {
    const store = open(testFolder(), { maxBytes: 250 });
    const first = await save(store, "run_1");
    const second = await save(store, "run_2");
    expect(store.someOfOwn(1)).toEqual([{ id: first.id, runId: "run_1" }]);
    const third = await save(store, "run_3");
    expect(store.find(first.id, "run_1")).toMatch(/evicted to free space/);
    expect(store.find(second.id, "run_2")).toEqual(second);
    expect(store.find(third.id, "run_3")).toEqual(third);
    expect(store.bytes).toBe(200);
  });

  it("refuses a checkpoint that alone is larger, and removes nothing for it", async () => {
    const folder = testFolder();
    const store = open(folder, { maxBytes: 250 });
    const { id } = await save(store, "run_1");
    await expect(save(store, "run_2", 251)).rejects.toThrow(
      /251 bytes, more than --checkpoint-bytes \(250\)/,
    );
    expect(readdirSync(folder)).toEqual([id]);
    expect(store.bytes).toBe(100);
  });

  it("applies to checkpoints that exist at the start", async () => {
    const folder = testFolder();
    const store = open(folder);
    await save(store, "run_1");
    const { id } = await save(store, "run_2");
    const smaller = open(folder, { maxBytes: 150 });
    expect([smaller.count, smaller.bytes]).toEqual([1, 100]);
    expect(readdirSync(folder)).toEqual([id]);
  });

  it("counts and removes only what this host saved", async () => {
    const folder = testFolder();
    const other = open(folder, { hostId: "host_b" });
    const theirs = await save(other, "run_1", 240);
    const store = open(folder, { maxBytes: 250 });
    const ours = await save(store, "run_2");
    expect([store.count, store.bytes]).toEqual([1, 100]);
    expect(store.someOfOwn(10)).toEqual([{ id: ours.id, runId: "run_2" }]);
    expect(store.find(theirs.id, "run_1")).toEqual(theirs);
    // Once restored here, it no longer exists; the other host learns this when it asks.
    store.drop(theirs.id);
    expect(other.find(theirs.id, "run_1")).toMatch(/on another host, or was evicted/);
    other.drop(theirs.id);
    expect(other.bytes).toBe(0);
  });
});

describe("after a start", () => {
  it("knows what it saved, and nothing of others", async () => {
    const folder = testFolder();
    const saved = await save(open(folder), "run_1");
    await save(open(folder, { hostId: "host_b" }), "run_2");
    const store = open(folder);
    expect(store.someOfOwn(10)).toEqual([{ id: saved.id, runId: "run_1" }]);
    expect(store.find(saved.id, "run_1")).toEqual(saved);
  });

  it("removes incomplete checkpoints, once no host can still be writing them", () => {
    const folder = testFolder();
    const hour = Date.now() / 1_000 - 3_601;
    for (const name of ["old", "unreadable", "young"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "unreadable", "about.json"), "{");
    for (const name of ["old", "unreadable"]) utimesSync(join(folder, name), hour, hour);
    const store = open(folder);
    expect(readdirSync(folder)).toEqual(["young"]);
    expect(store.find("young", "run_1")).toMatch(/on another host/);
    expect(existsSync(join(folder, "young"))).toBe(true);
  });
});

describe("asking about them", () => {
  it("takes its turn with each", async () => {
    const store = open(testFolder());
    for (const runId of ["run_1", "run_2", "run_3"]) await save(store, runId);
    const asked = () => store.someOfOwn(2).map(({ runId }) => runId);
    expect([...asked(), ...asked(), ...asked()]).toEqual([
      "run_1",
      "run_2",
      "run_3",
      "run_1",
      "run_2",
      "run_3",
    ]);
  });
});
