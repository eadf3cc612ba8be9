import { execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { auth, runs, tasks } from "@acme/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { ROOT, startLocalServer } from "../support/local-server.ts";
import { childrenOf, isAlive, parentOf } from "../support/processes.ts";

const run = promisify(execFile);
/** The environment of a user's terminal: these tests are themselves started by npm. */
const WITHOUT_NPM = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")),
);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-e2e-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `node scripts/bootstrap.mjs start …`, which is what `npm start` runs. */
const start = (...args: string[]) =>
  run(process.execPath, [
    join(ROOT, "scripts/bootstrap.mjs"),
    "start",
    "--executor",
    "process",
    ...args,
  ]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );

describe("npm start", () => {
  it("--once prints the example's result and leaves nothing running", async () => {
    const { code, stdout, stderr } = await start("--once", "--port", "0", "--data", folder);
    expect(stderr).not.toContain("failed");
    expect(stdout).toContain('Result: {"message":"Hello, World!"}');
    expect(code).toBe(0);
    const pids = JSON.parse(readFileSync(join(folder, "pids.json"), "utf8")) as Record<string, number>;
    expect(Object.keys(pids).sort()).toEqual(["host", "server", "worker"]);
    expect(Object.values(pids).filter(isAlive)).toEqual([]);
  });

  it("writes what a client needs, for its owner only", async () => {
    const server = await startLocalServer({ dataDir: folder, example: false });
    try {
      const local = JSON.parse(readFileSync(join(folder, "local.json"), "utf8")) as Record<string, string>;
      expect(Object.keys(local).sort()).toEqual(
        [
          "accessToken",
          "apiUrl",
          "dashboardUrl",
          "devSecretKey",
          "hostToken",
          "projectRef",
          "secretKey",
        ].sort(),
      );
      expect(statSync(join(folder, "local.json")).mode & 0o077).toBe(0);
    } finally {
      await server.stop();
    }
  });

  it("keeps keys, runs and the deployment across a stop", async () => {
    const first = await startLocalServer({ dataDir: folder });
    const key = { baseURL: first.apiUrl, accessToken: first.secretKey };
    const done = await auth.withAuth(key, async () => {
      const handle = await tasks.trigger("hello-world", { name: "before" });
      return runs.poll(handle.id, { pollIntervalMs: 50 });
    });
    expect(await first.stop({ keepData: true })).toBe(0);

    const second = await startLocalServer({ dataDir: folder, example: false });
    try {
      expect(second.secretKey).toBe(first.secretKey);
      expect(second.accessToken).toBe(first.accessToken);
      await auth.withAuth({ baseURL: second.apiUrl, accessToken: second.secretKey }, async () => {
        expect((await runs.retrieve(done.id)).output).toEqual({ message: "Hello, before!" });
        const handle = await tasks.trigger("hello-world", { name: "after" });
        expect((await runs.poll(handle.id, { pollIntervalMs: 50 })).output).toEqual({
          message: "Hello, after!",
        });
      });
    } finally {
      await second.stop();
    }
  });

  it("runs the example even if another project was deployed since, which stays the current one", async () => {
    const server = await startLocalServer({ dataDir: folder });
    await deployTaskFile(
      server,
      `import { task } from "@acme/sdk";
      export const other = task({ id: "other", run: async () => 1 });`,
    );
    await server.stop({ keepData: true });
    const again = await startLocalServer({ dataDir: folder });
    try {
      expect(again.output()).toContain('Result: {"message":"Hello, World!"}');
      const run = await auth.withAuth({ baseURL: again.apiUrl, accessToken: again.secretKey }, async () =>
        runs.poll(await tasks.trigger("other", {}), { pollIntervalMs: 100 }),
      );
      expect(run.output).toBe(1);
    } finally {
      await again.stop({ keepData: true });
    }
  });

  it("refuses a data folder and a port that are in use, and says so", async () => {
    const server = await startLocalServer({ dataDir: folder, example: false });
    try {
      const sameFolder = await start("--once", "--port", "0", "--data", folder);
      expect(sameFolder.code).toBe(1);
      expect(sameFolder.stderr).toContain(`is in use by another server (process ${server.pids().server})`);
      const { port } = new URL(server.apiUrl);
      const samePort = await start("--once", "--port", port, "--data", join(folder, "other"));
      expect(samePort.code).toBe(1);
      expect(samePort.stderr).toContain(`Port ${port} on 127.0.0.1 is in use by another program`);
    } finally {
      await server.stop();
    }
  });

  it.each(["server", "bootstrap", "npm"])(
    "leaves nothing running when its %s process is killed",
    async (which) => {
      const npm = spawn("npm", ["start", "--", "--executor", "process", "--port", "0", "--data", folder], {
        cwd: ROOT,
        env: WITHOUT_NPM,
        stdio: ["ignore", "pipe", "ignore"],
      });
      let output = "";
      npm.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
      await eventually("it is up", () => output.includes("Acme is running at"));
      const pids = JSON.parse(readFileSync(join(folder, "pids.json"), "utf8")) as Record<string, number>;
      const all = [...Object.values(pids), ...childrenOf(pids.host!), parentOf(pids.server!)!];
      expect(all.every(isAlive)).toBe(true);
      const victims = { server: pids.server!, bootstrap: parentOf(pids.server!)!, npm: npm.pid! };
      process.kill(victims[which as keyof typeof victims], "SIGKILL");
      await eventually("all of it is gone", () => !all.some(isAlive) && !isAlive(npm.pid!));
    },
  );

  it("works in a fresh copy of the checkout with nothing installed", async () => {
    const copy = join(folder, "checkout");
    const { stdout: listed } = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
      cwd: ROOT,
      maxBuffer: 64 * 1024 * 1024,
    });
    for (const file of listed.split("\n").filter(Boolean)) cpSync(join(ROOT, file), join(copy, file));
    const { stdout, stderr } = await run(
      "npm",
      ["start", "--", "--once", "--port", "0", "--executor", "process"],
      { cwd: copy, env: WITHOUT_NPM },
    );
    expect(stderr).toContain("Installing dependencies (npm ci)");
    expect(stdout).toContain('Result: {"message":"Hello, World!"}');
  }, 300_000);
});
