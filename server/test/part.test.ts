import { tmpdir } from "node:os";
import { afterEach, expect, it } from "vitest";
import { eventually } from "../../tests/support/eventually.ts";
import { isAlive } from "../../tests/support/processes.ts";
import { createPart, type Part } from "../src/part.ts";

const parts: Part[] = [];
afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop();
});

function part(script: string, graceMs = 5_000) {
  const lines: string[] = [];
  const crashes: string[] = [];
  const created = createPart({
    name: "test",
    command: { file: process.execPath, args: ["-e", script] },
    env: process.env,
    cwd: tmpdir(),
    graceMs,
    onLine: (line) => lines.push(line),
    onStart: () => {},
    onCrash: (how, restartInMs) => crashes.push(`${how}, ${restartInMs}`),
  });
  parts.push(created);
  return { part: created, lines, crashes };
}

const FOREVER = 'console.log("up"); setInterval(() => {}, 1000)';

it("starts a part again after it was killed", async () => {
  const { part: watched, lines, crashes } = part(FOREVER);
  watched.start();
  watched.keepAlive();
  const first = await eventually("it is up", () => lines.length === 1 && watched.pid);
  watched.kill("SIGKILL");
  const second = await eventually("it is up again", () => lines.length === 2 && watched.pid);
  expect(second).not.toBe(first);
  expect(isAlive(first)).toBe(false);
  expect(crashes).toEqual(["was killed by SIGKILL, 0"]);
});

it("does not restart a part that isn't kept alive, and keeps its output", async () => {
  const { part: watched, crashes } = part('console.error("what went wrong"); process.exit(3)');
  watched.start();
  expect(await watched.ended()).toBe("ended with code 3");
  expect(crashes).toEqual(["ended with code 3, null"]);
  expect(watched.recentOutput()).toBe("what went wrong");
});

it("reports that the program can't be found", async () => {
  const broken = createPart({
    name: "broken",
    command: { file: "/nowhere/at-all", args: [] },
    env: process.env,
    cwd: tmpdir(),
    graceMs: 1_000,
    onLine: () => {},
    onStart: () => {},
    onCrash: () => {},
  });
  broken.start();
  expect(await broken.ended()).toMatch(/could not be started|ended with code/);
});

it("kills a part that doesn't end within its grace period", async () => {
  const { part: watched, lines, crashes } = part(`process.on("SIGTERM", () => {}); ${FOREVER}`, 100);
  watched.start();
  const pid = await eventually("it is up", () => lines.length === 1 && watched.pid);
  await watched.stop();
  expect(isAlive(pid)).toBe(false);
  expect(crashes).toEqual([]);
});

it("ends the processes that a killed part had started", async () => {
  const { part: watched, lines } = part(
    `const { spawn } = require("node:child_process");
    console.log(spawn("sleep", ["1000"], { stdio: "ignore" }).pid); setInterval(() => {}, 1000)`,
  );
  watched.start();
  await eventually("it is up", () => lines.length === 1);
  expect(isAlive(Number(lines[0]))).toBe(true);
  watched.kill("SIGKILL");
  await eventually("its child is gone", () => !isAlive(Number(lines[0])));
});

it("does not start again while it waits to be restarted and is stopped", async () => {
  const { part: watched, crashes } = part("process.exit(1)");
  watched.keepAlive();
  watched.start();
  await eventually("it died", () => crashes.length > 0);
  await watched.stop();
  expect(watched.pid).toBeUndefined();
});
