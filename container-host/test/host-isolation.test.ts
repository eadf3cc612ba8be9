/** What a task in a child process can read where the host is root. */
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { testFolder, testHost, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";
import { HOST_TOKEN } from "./support/scripted-server.ts";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;
const REFUSED = { type: "failure", error: { message: expect.stringMatching(/EACCES/) } };

interface Whoami {
  pid: number;
  uid: number;
  env: Record<string, string>;
}

describe.skipIf(!isRoot)("a task in a child process of root", { timeout: 60_000 }, () => {
  it("is another user in each environment, with a folder of its own", async () => {
    const { server } = await testHost("process");
    const [one, two, again] = await Promise.all(
      ["env00001", "env00002", "env00001"].map((environment) =>
        server.outputOf<Whoami>(server.trigger("whoami", { environment })),
      ),
    );
    expect(one?.uid).toBeGreaterThan(1_000);
    expect(two?.uid).not.toBe(one?.uid);
    expect(again?.uid).toBe(one?.uid);
    const written = server.trigger("writes", {
      environment: "env00001",
      payload: { path: `${one?.env.HOME}/x` },
    });
    expect(await server.outputOf(written)).toBe("written");
    for (const path of [`${one?.env.HOME}/x`, one?.env.ACME_BUNDLE]) {
      const run = server.trigger("reads-file", { environment: "env00002", payload: { path } });
      expect(await server.outcomeOf(run)).toMatchObject(REFUSED);
    }
  });

  it("reads neither the host's files nor the environment of another process", async () => {
    const { dataDir, server } = await testHost("process");
    const other = await server.outputOf<Whoami>(server.trigger("whoami", { environment: "env00002" }));
    for (const path of [
      join(dataDir, "host-id"),
      `/proc/${process.pid}/environ`,
      `/proc/${other.pid}/environ`,
    ]) {
      const run = server.trigger("reads-file", { payload: { path } });
      expect([path, await server.outcomeOf(run)]).toMatchObject([path, REFUSED]);
    }
  });

  it("is killed with its host, and its files go with it", async () => {
    const host = await testHost("process");
    const { env } = await host.server.outputOf<Whoami>(host.server.trigger("whoami"));
    expect(statSync(env.HOME as string).isDirectory()).toBe(true);
    await host.stop();
    expect(statSync(env.HOME as string, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("is root on request", async () => {
    const { server } = await testHost("process", { separateUsers: false });
    expect((await server.outputOf<Whoami>(server.trigger("whoami"))).uid).toBe(0);
  });
});

describe("`auto` without Docker", { timeout: 60_000 }, () => {
  it("is a warning when the host starts, and for as long as it runs", async () => {
    const server = await testServer();
    const host = hostProcess({
      apiUrl: server.url,
      dataDir: testFolder(),
      args: ["--executor", "auto"],
      env: { DOCKER_HOST: "unix:///nonexistent/docker.sock" },
    });
    const { metricsUrl } = await host.ready;
    expect(host.errors()).toMatch(/WARN \[host\] Docker can't be used .* so tasks run in child processes: /);
    const health = (await (await fetch(`${metricsUrl}/healthz`)).json()) as {
      ok: boolean;
      warnings: string[];
    };
    expect(health).toMatchObject({ ok: true, warnings: [expect.stringMatching(/^Docker can't be used/)] });
  });
});

describe("the host's token", { timeout: 60_000 }, () => {
  it("can come from a file; the data folder is closed to others, even one that was open", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    chmodSync(dataDir, 0o755);
    const tokenFile = join(testFolder(), "token");
    writeFileSync(tokenFile, `${HOST_TOKEN}\n`, { mode: 0o600 });
    const env = { ACME_HOST_TOKEN: "" };
    const args = ["--executor", "process", "--host-token-file", tokenFile];
    const host = hostProcess({ apiUrl: server.url, dataDir, args, env });
    await host.ready;
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  });

  it("names the file where that can't be read", async () => {
    const args = ["--host-token-file", "/nonexistent/token"];
    const host = hostProcess({ apiUrl: "http://127.0.0.1:1", dataDir: testFolder(), args });
    expect(await host.exited).toEqual({ code: 1, signal: null });
    expect(host.errors()).toMatch(/host token can't be read from \/nonexistent\/token.*ENOENT/);
  });
});
