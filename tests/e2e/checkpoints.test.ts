import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiClientConfiguration, auth, runs, tasks, wait } from "@acme/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { type EffectsServer, startEffectsServer } from "../support/effects-server.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { eventsOf } from "../support/run-events.ts";
import { withDocker } from "../support/with-docker.ts";

/**
 * Holds state that only the process itself can keep: none of it is in an operation. Its project sets
 * `record: false`. It waits twice, each time for some seconds or for one of two tokens.
 */
const TASKS = `
import { step, task, wait } from "@acme/sdk";

let counter = 0;

export const holds = task({
  id: "holds",
  run: async ({ url, name, seconds, tokens }: { url: string; name: string; seconds: number; tokens?: string[] }) => {
    const random = Math.random();
    const increment = () => ++counter;
    const effect = (what: string) =>
      step(what, async () => {
        await fetch(url + "/" + encodeURIComponent(name + " " + what), { method: "POST" });
      });
    const waits = async (nth: number) => {
      if (tokens) await wait.forToken(tokens[nth]!);
      else await wait.for({ seconds });
    };
    const seen = [[random, increment()]];
    await effect("first");
    await waits(0);
    seen.push([random, increment()]);
    await effect("second");
    await waits(1);
    seen.push([random, increment()]);
    await effect("third");
    return seen;
  },
});
`;

const docker = (...args: string[]): string[] =>
  execFileSync("docker", args, { encoding: "utf8" }).split("\n").filter(Boolean);

describe.skipIf(!withDocker())("a task in a container", () => {
  let server: LocalServer;
  let effects: EffectsServer;
  let client: ApiClientConfiguration;
  let hostId: string;

  beforeAll(async () => {
    server = await startLocalServer({
      executor: "docker",
      example: false,
      // All containers hold runs then.
      env: { ACME_HOST_SPARES: "0", ACME_HOST_IDLE_MS: "0" },
    });
    client = { baseURL: server.apiUrl, accessToken: server.secretKey };
    hostId = readFileSync(join(server.dataDir, "host/host-id"), "utf8").trim();
    const [gateway] = docker("network", "inspect", "acme-runs", "-f", "{{(index .IPAM.Config 0).Gateway}}");
    effects = await startEffectsServer(gateway);
    // No process is saved before the host's self-test has worked.
    await eventually("checkpoints work", () => selfTests() > 0);
    await deployTaskFile(server, TASKS, { record: false, suspendAfter: 1_000 });
  });
  afterAll(async () => {
    effects?.close();
    await server?.stop();
  });

  const containers = (): string[] => docker("ps", "-aq", "--filter", `label=acme.host=${hostId}`);
  const waiting = (id: string, suspensions: number) =>
    eventually(
      `${id} is suspended ${suspensions}×`,
      async () => {
        const [run, events] = await Promise.all([runs.retrieve(id), eventsOf(server, id)]);
        return (
          run.status === "WAITING" && events.filter(({ type }) => type === "suspended").length === suspensions
        );
      },
      90_000,
    );
  /** Ids of the processes that are saved completely. */
  const saved = (): string[] => {
    const folder = join(server.dataDir, "host/checkpoints");
    return existsSync(folder)
      ? readdirSync(folder).filter((id) => existsSync(join(folder, id, "about.json")))
      : [];
  };
  /** `before`: ids of processes that were saved before. */
  const untilSaved = (before: readonly string[] = []): Promise<true> =>
    eventually("its process is saved", () => saved().some((id) => !before.includes(id)));
  /** How many self-tests have worked, of all hosts that the server has started. */
  const selfTests = (): number => server.output().split("a self-test saved one in").length - 1;
  const once = (name: string) => ({ [`${name} first`]: 1, [`${name} second`]: 1, [`${name} third`]: 1 });
  const effectsOf = (name: string) =>
    Object.fromEntries(Object.entries(effects.counts()).filter(([key]) => key.startsWith(`${name} `)));

  it(
    "that waits a minute twice resumes in the same process, with no container in between",
    {
      timeout: 240_000,
    },
    () =>
      auth.withAuth(client, async () => {
        const { id } = await tasks.trigger("holds", { url: effects.url, name: "saved", seconds: 60 });
        for (const suspensions of [1, 2]) {
          await waiting(id, suspensions);
          await untilSaved();
          await eventually("its container is gone", () => containers().length === 0);
        }
        const run = await runs.poll(id, { pollIntervalMs: 500 });
        expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 1 });
        const seen = run.output as [number, number][];
        const random = seen[0]?.[0];
        expect(seen).toEqual([
          [random, 1],
          [random, 2],
          [random, 3],
        ]);
        expect(effectsOf("saved")).toEqual(once("saved"));
        const resumed = (await eventsOf(server, id)).filter(({ type }) => type === "resumed");
        expect(resumed.map(({ message }) => message)).toEqual(
          Array(2).fill("Resumed: its process was restored from its checkpoint"),
        );
      }),
  );

  it("whose checkpoint is gone is replayed, and repeats no step", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("holds", { url: effects.url, name: "lost", seconds: 5 });
      await waiting(id, 1);
      await untilSaved();
      execFileSync("sh", ["-c", `rm -rf ${join(server.dataDir, "host/checkpoints")}/*`]);
      server.kill("host", "SIGKILL");
      const run = await runs.poll(id, { pollIntervalMs: 250 });
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 1 });
      expect(effectsOf("lost")).toEqual(once("lost"));
      const [first] = (await eventsOf(server, id)).filter(({ type }) => type === "resumed");
      expect(first?.message).toMatch(/replayed from its journal: its checkpoint/);
    }));

  it("whose host is killed while it is suspended is restored by the next one", { timeout: 240_000 }, () =>
    auth.withAuth(client, async () => {
      const tokens = [(await wait.createToken()).id, (await wait.createToken()).id];
      const payload = { url: effects.url, name: "kept", seconds: 0, tokens };
      const earlier = saved();
      const { id } = await tasks.trigger("holds", payload);
      await waiting(id, 1);
      await untilSaved(earlier);
      const [before, tested] = [saved(), selfTests()];
      server.kill("host", "SIGKILL");
      // A host replays the runs it resumes until its self-test has worked, which takes long on a busy machine.
      await eventually("checkpoints work in the next host", () => selfTests() > tested, 120_000);
      await wait.completeToken(tokens[0] as string, {});
      await waiting(id, 2);
      await untilSaved(before);
      await wait.completeToken(tokens[1] as string, {});
      const run = await runs.poll(id, { pollIntervalMs: 250 });
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 1 });
      const seen = run.output as [number, number][];
      expect(new Set(seen.map(([random]) => random)).size).toBe(1);
      expect(effectsOf("kept")).toEqual(once("kept"));
      const resumed = (await eventsOf(server, id)).filter(({ type }) => type === "resumed");
      for (const { message } of resumed) expect(message).toMatch(/restored from its checkpoint/);
      expect(resumed).toHaveLength(2);
    }),
  );
});
