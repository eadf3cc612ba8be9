import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiClientConfiguration, auth, runs, tasks } from "@acme/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { withDocker } from "../support/with-docker.ts";

let server: LocalServer;
let client: ApiClientConfiguration;
let hostId: string;

const docker = (...args: string[]): string[] =>
  execFileSync("docker", args, { encoding: "utf8" }).split("\n").filter(Boolean);
/** Ids of the containers that this server's host has started. */
const containers = (): string[] => docker("ps", "-q", "--no-trunc", "--filter", `label=acme.host=${hostId}`);
const poll = (id: string) => runs.poll(id, { pollIntervalMs: 250 });
const executing = (id: string) =>
  eventually(`${id} executes`, async () => (await runs.retrieve(id)).status === "EXECUTING");

describe.skipIf(!withDocker())("with real containers", () => {
  beforeAll(async () => {
    server = await startLocalServer({ executor: "docker" });
    client = { baseURL: server.apiUrl, accessToken: server.secretKey };
    hostId = readFileSync(join(server.dataDir, "host/host-id"), "utf8").trim();
  });
  afterAll(() => server?.stop());

  it("a run whose container is killed is retried in another one", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("sleepy", { ms: 3_000 });
      await executing(id);
      const before = containers();
      expect(before.length).toBeGreaterThan(0);
      docker("kill", "--signal", "KILL", ...before);
      const run = await poll(id);
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 2 });
      expect(containers().some((container) => before.includes(container))).toBe(false);
    }));

  it("a run whose host is killed runs again, and the old container is removed", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("sleepy", { ms: 3_000 });
      await executing(id);
      const before = containers();
      server.kill("host", "SIGKILL");
      expect((await poll(id)).status).toBe("COMPLETED");
      await eventually("the old containers are gone", () => !containers().some((c) => before.includes(c)));
    }));

  it("a stopped server leaves no container", async () => {
    expect(containers().length).toBeGreaterThan(0);
    await server.stop();
    expect(docker("ps", "-aq", "--filter", `label=acme.host=${hostId}`)).toEqual([]);
  });
});
