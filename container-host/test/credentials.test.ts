/** How a host registers with the server, and how it authenticates from then on. */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { testFolder, testHost, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";

const PROCESSES = ["--executor", "process", "--spares", "0"];

describe("a host", { timeout: 60_000 }, () => {
  it("registers once, and keeps its credential where only its user can read it", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    const first = await testHost("process", { server, dataDir });
    const file = join(dataDir, "host-credential");
    const credential = readFileSync(file, "utf8").trim();
    expect(credential).toMatch(new RegExp(`^ahc_${first.hostId}\\.[0-9a-z]{40}$`));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await first.stop();
    const second = await testHost("process", { server, dataDir });
    expect(second.hostId).toBe(first.hostId);
    expect(server.registrations).toHaveLength(1);
    expect(JSON.stringify(server.registrations)).not.toContain(credential);
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
  });

  it("registers again if the server has lost its list of hosts", async () => {
    const { server } = await testHost("process");
    server.registered.clear();
    expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    expect(server.registrations).toHaveLength(2);
  });

  it("creates another credential if its own is damaged, and says that the server knows the old one", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    await (await testHost("process", { server, dataDir })).stop();
    writeFileSync(join(dataDir, "host-credential"), "");
    const host = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
    expect(await host.exited).toEqual({ code: 1, signal: null });
    expect(host.errors()).toMatch(/refused to register this host \(409: Another credential\)/);
  });

  it.each(["before the server hears of it", "before the answer"])(
    "that is killed as it registers, %s, registers as the same host when it is started again",
    async (when) => {
      const server = await testServer();
      const dataDir = testFolder();
      const { promise: never } = Promise.withResolvers<void>();
      if (when === "before the answer") {
        server.delay = (path, body) => {
          if (path !== "/engine/v1/hosts") return undefined;
          const { hostId, credentialHash } = body as { hostId: string; credentialHash: string };
          server.registered.set(hostId, credentialHash);
          return never;
        };
      } else server.delay = (path) => (path === "/engine/v1/hosts" ? never : undefined);
      const killed = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
      await server.until("it registers", () => server.requests.get("/engine/v1/hosts"));
      killed.child.kill("SIGKILL");
      await killed.exited;
      server.delay = () => undefined;
      const host = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
      const { hostId } = await host.ready;
      expect([...server.registered.keys()]).toEqual([hostId]);
      expect(await server.outputOf(server.trigger("echo", { payload: 1 }))).toBe(1);
    },
  );

  it("that is killed while it creates its credential can be started again", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    await (await testHost("process", { server, dataDir })).stop();
    // What a kill between writing and renaming leaves behind.
    writeFileSync(join(dataDir, "host-credential.new"), "ahc_");
    await testHost("process", { server, dataDir });
    expect(server.registrations).toHaveLength(1);
    expect(existsSync(join(dataDir, "host-credential"))).toBe(true);
  });

  it("that is revoked stops what it runs and ends with the reason, and does not start again", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    const host = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
    const { hostId } = await host.ready;
    const run = server.trigger("ignores-cancel");
    await server.startOf(run);
    server.revoked.add(hostId);
    server.endSession();
    expect(await host.exited).toEqual({ code: 1, signal: null });
    expect(host.errors()).toMatch(/revoked this host/);
    expect(server.outcome(run)).toBeUndefined();
    const again = hostProcess({ apiUrl: server.url, dataDir, args: PROCESSES });
    expect(await again.exited).toEqual({ code: 1, signal: null });
    expect(again.errors()).toMatch(/revoked this host.*empty data folder/);
  });
});

describe("the token of a lease", () => {
  it("is what the run calls the API with, renewed with the lease", async () => {
    const { server } = await testHost("process", { heartbeatMs: 20 });
    const run = server.trigger("api-tokens");
    await server.startOf(run);
    server.renew = ({ runId, token }) => `renewed-${runId}-${token}`;
    expect(await server.outputOf(run)).toEqual([run.apiToken, `renewed-${run.runId}-1`]);
  });

  it("is shown with the run's logs, and is another one for the next run of the same process", async () => {
    const { server } = await testHost("process");
    for (let n = 0; n < 2; n++) {
      const run = server.trigger("logs", { payload: { lines: 1 } });
      await server.outcomeOf(run);
      await server.until("its logs", () => server.logs.get(run.runId));
      expect(server.logTokens.get(run.runId)).toBe(`api-token-of-${run.runId}`);
    }
  });
});
