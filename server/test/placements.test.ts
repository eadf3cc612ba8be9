import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDataDir } from "../src/data-dir.ts";
import { Placements } from "../src/shards/placements.ts";
import { openShards } from "../src/shards/shard.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-placements-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fileOf = (): string => join(folder, "placements.json");

describe("placements", () => {
  it("spread each type of environment, and then all of them", () => {
    const placements = new Placements(fileOf());
    const types = ["PRODUCTION", "DEVELOPMENT", "PRODUCTION", "DEVELOPMENT", "PREVIEW", "PRODUCTION"];
    const places = types.map((type, index) => placements.place(`env0000${index}`, type, 2));
    expect(places).toEqual([0, 1, 1, 0, 0, 1]);
    expect(placements.place("env00000", "PRODUCTION", 2)).toBe(0);
  });

  it("spare the first of many processes, which has what belongs to no environment", () => {
    const placements = new Placements(fileOf());
    const keys = ["env00001", "env00002", "env00003", "env00004"];
    expect(keys.map((key) => placements.place(key, "PRODUCTION", 4))).toEqual([1, 2, 3, 1]);
  });

  it("survive a restart, with more processes too; what was never placed is in the first process", () => {
    const before = new Placements(fileOf());
    before.place("env00001", "PRODUCTION", 2);
    before.place("env00002", "PRODUCTION", 2);
    const after = new Placements(fileOf());
    expect(after.place("env00003", "PRODUCTION", 3)).toBe(2);
    expect(["env00001", "env00002", "env00003", "env00009"].map((key) => after.of(key))).toEqual([
      0, 1, 2, 0,
    ]);
    expect([after.countFrom(1), after.last]).toEqual([2, 2]);
  });

  it("are refused when their file is damaged", () => {
    writeFileSync(fileOf(), '{"environments":{"env00001":{"process":-1}}}');
    expect(() => new Placements(fileOf())).toThrow("Restore it from a backup");
  });
});

describe.runIf(process.platform === "linux")("the folders of processes", () => {
  it("are the data folder's own for the first, and one for each further one, which nobody else may use", () => {
    const dir = openDataDir(folder);
    const shards = openShards(dir, 3);
    expect(shards.all.map(({ name }) => name)).toEqual(["worker", "worker-1", "worker-2"]);
    expect(shards.all.map(({ objects }) => objects)).toEqual([
      join(folder, "objects"),
      join(folder, "shards/1/objects"),
      join(folder, "shards/2/objects"),
    ]);
    expect(() => openShards(dir, 2)).toThrow(`${join(folder, "shards/1")} is in use by another server`);
    shards.unlock();
    openShards(dir, 1).unlock();
  });

  it("can't be fewer than have environments", () => {
    const dir = openDataDir(folder);
    const { placements, unlock } = openShards(dir, 3);
    for (const key of ["env00001", "env00002", "env00003"]) placements.place(key, "PRODUCTION", 3);
    unlock();
    expect(() => openShards(dir, 2)).toThrow(
      `1 environments of ${folder} are in processes that would not run, and would not be reachable. Start it with --processes 3 or more.`,
    );
    openShards(dir, 3).unlock();
  });

  it("are refused without the placements of their environments", () => {
    const dir = openDataDir(folder);
    const { placements, unlock } = openShards(dir, 2);
    for (const key of ["env00001", "env00002"]) placements.place(key, "PRODUCTION", 2);
    unlock();
    const objects = join(folder, "shards/1/objects/acme-EnvironmentObject");
    mkdirSync(objects);
    writeFileSync(join(objects, `${"0f".repeat(32)}.sqlite`), "");
    const text = readFileSync(fileOf(), "utf8");
    rmSync(fileOf());
    expect(() => openShards(dir, 2)).toThrow(`${join(folder, "shards/1")} has environments that`);
    writeFileSync(fileOf(), text);
    openShards(dir, 2).unlock();
  });
});
