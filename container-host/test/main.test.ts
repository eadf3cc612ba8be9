/** The host as the program that the server and operators start. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isAlive, testFolder, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";
import { ScriptedServer } from "./support/scripted-server.ts";

const PROCESSES = ["--executor", "process", "--spares", "0"];

describe("the program", { timeout: 60_000 }, () => {
  it("says on one line of JSON that it is ready, and nothing else on standard output", async () => {
    const server = await testServer();
    const host = hostProcess({ apiUrl: server.url, dataDir: testFolder(), args: PROCESSES });
    expect(await host.ready).toEqual({
      ready: true,
      hostId: expect.stringMatching(/^host_/),
      executor: "process",
      metricsUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      pid: host.child.pid,
    });
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect(host.lines.length).toBe(1);
  });

  it("waits for a server that is not up yet", async () => {
    const server = await new ScriptedServer().listen();
    const { port, url } = server;
    await server.close();
    const host = hostProcess({ apiUrl: url, dataDir: testFolder(), args: PROCESSES });
    await server.until("it said so", () => host.errors().includes("can't be reached yet"));
    await server.listen(port);
    await host.ready;
    await server.close();
  });

  it("ends with a clear message when the server refuses its token", async () => {
    const server = await testServer();
    const env = { ACME_HOST_TOKEN: "wrong" };
    const host = hostProcess({ apiUrl: server.url, dataDir: testFolder(), args: PROCESSES, env });
    expect(await host.exited).toEqual({ code: 1, signal: null });
    expect(host.errors()).toMatch(/refused the host token \(401: Invalid host token\).*ACME_HOST_TOKEN/);
    expect(host.lines).toEqual([]);
  });

  it.each([
    [["--executor", "magic"], {}, /--executor \(or ACME_HOST_EXECUTOR\)/],
    [["--concurrency", "none"], {}, /--concurrency/],
    [["--what"], {}, /--what[\s\S]*Usage/],
    [[], { ACME_API_URL: "not a url" }, /ACME_API_URL/],
    [[], { ACME_HOST_TOKEN: "" }, /ACME_HOST_TOKEN/],
  ])("names what is wrong with %j %j", async (args, env, message) => {
    const host = hostProcess({ apiUrl: "http://127.0.0.1:1", dataDir: testFolder(), args, env });
    expect(await host.exited).toEqual({ code: 1, signal: null });
    expect(host.errors()).toMatch(message);
    expect(host.errors()).not.toMatch(/\n\s+at /);
  });

  it("refuses a folder that another host has", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    const first = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
    await first.ready;
    const second = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.errors()).toContain(`(process ${first.child.pid})`);
  });

  it.each(["SIGTERM", "SIGINT"] as const)("drains on %s and exits with 0", async (signal) => {
    const server = await testServer();
    const host = hostProcess({ apiUrl: server.url, dataDir: testFolder(), args: PROCESSES });
    await host.ready;
    const file = join(testFolder(), "go");
    const run = server.trigger("waits", { payload: { file } });
    await server.startOf(run);
    host.child.kill(signal);
    await server.until("it drains", () => host.errors().includes("Stopping"));
    writeFileSync(file, "");
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(server.outcome(run)).toMatchObject({ type: "success" });
    expect(server.goodbyes.length).toBe(1);
  });

  it("ends at once on the second signal, with all of its runs", async () => {
    const server = await testServer();
    const host = hostProcess({ apiUrl: server.url, dataDir: testFolder(), args: PROCESSES });
    await host.ready;
    const { child, pid } = await server.outputOf<{ pid: number; child: number }>(server.trigger("spawns"));
    const run = server.trigger("waits", { payload: {} });
    await server.startOf(run);
    host.child.kill("SIGTERM");
    await server.until("it drains", () => host.errors().includes("Stopping"));
    host.child.kill("SIGTERM");
    expect(await host.exited).toEqual({ code: 130, signal: null });
    await server.until("its process is gone", () => !isAlive(pid));
    process.kill(child, "SIGKILL");
  });

  it("when killed, its processes end, and the next start ends what they left behind", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    const first = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
    const { hostId } = await first.ready;
    const { child, pid } = await server.outputOf<{ pid: number; child: number }>(server.trigger("spawns"));
    first.child.kill("SIGKILL");
    await first.exited;
    await server.until("its process is gone", () => !isAlive(pid));
    expect(isAlive(child)).toBe(true);

    const second = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
    expect((await second.ready).hostId).toBe(hostId);
    await server.until("what it left is gone", () => !isAlive(child));
    expect(second.errors()).toMatch(/Ended 1 runtimes/);
    expect(server.sessions.length).toBe(2);
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
  });
});
