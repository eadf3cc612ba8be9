/** What happens to runs, and to the bundle of a version, when another one is deployed. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configure, runs, tasks, wait } from "@acme/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { acmeCommand } from "../support/acme-command.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { eventsOf } from "../support/run-events.ts";

const tasksOf = (version: string) => `
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { task, wait } from "@acme/sdk";

export const child = task({ id: "child", run: async () => "${version}" });

/** Executes until the file exists. */
export const busy = task({
  id: "busy",
  run: async ({ file }: { file: string }) => {
    while (!existsSync(file)) await sleep(50);
    return { version: "${version}", child: await child.triggerAndWait().unwrap() };
  },
});

/** Suspended until the token is completed. */
export const patient = task({
  id: "patient",
  run: async ({ token }: { token: string }) => {
    const before = Math.random();
    await wait.forToken(token);
    const alone = await child.trigger();
    return { version: "${version}", before, again: before, child: await child.triggerAndWait().unwrap(), alone: alone.id };
  },
});
`;

let server: LocalServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "acme-versions-"));
  // Tasks run as users of their own.
  chmodSync(folder, 0o755);
  server = await startLocalServer({ example: false, settings: { KEEP_VERSIONS: "1" } });
  configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const outputOf = async (id: string): Promise<unknown> => {
  const run = await eventually(`run ${id} is over`, async () => {
    const found = await runs.retrieve(id);
    return found.isCompleted && found;
  });
  expect(run).toMatchObject({ status: "COMPLETED" });
  return run.output;
};
const child = async (): Promise<unknown> => outputOf((await tasks.trigger("child", undefined)).id);
const statusIs = (id: string, status: string) =>
  eventually(`run ${id} is ${status}`, async () => (await runs.retrieve(id)).status === status);
const bundles = (): string[] =>
  readdirSync(join(server.dataDir, "blobs/bundles"), { recursive: true, encoding: "utf8" }).filter((path) =>
    /[0-9a-f]{64}$/.test(path),
  );
/** Makes the previous version current again, as a person does. */
async function rollback(): Promise<void> {
  const args = ["rollback", "--env", "prod", "-p", server.projectRef];
  const env = { ACME_ACCESS_TOKEN: server.accessToken };
  expect(await acmeCommand(server, args, { env })).toMatchObject({ code: 0 });
}

it("runs stay on their version, and its bundle is deleted when the last of them has ended", async () => {
  // Nothing is deployed yet.
  const early = await tasks.trigger("child", undefined);
  const hasty = await tasks.trigger("child", undefined, { ttl: "1s" });
  await statusIs(early.id, "PENDING_VERSION");
  await statusIs(hasty.id, "EXPIRED");
  await deployTaskFile(server, tasksOf("v1"));
  expect(await outputOf(early.id)).toBe("v1");
  expect(await runs.retrieve(hasty.id)).toMatchObject({ status: "EXPIRED" });

  const file = join(folder, "go-on");
  const token = await wait.createToken();
  const busy = await tasks.trigger("busy", { file });
  const patient = await tasks.trigger("patient", { token: token.id });
  await statusIs(busy.id, "EXECUTING");
  await eventually("it is suspended", async () =>
    (await eventsOf(server, patient.id)).some(({ type }) => type === "suspended"),
  );
  const first = (await runs.retrieve(busy.id)).version ?? "";
  const [bundleOfFirst] = bundles();

  await deployTaskFile(server, tasksOf("v2"));
  expect(await child()).toBe("v2");
  const second = (await runs.retrieve((await tasks.trigger("child", undefined)).id)).version;
  expect(second).not.toBe(first);
  await rollback();
  expect(await child()).toBe("v1");
  await deployTaskFile(server, tasksOf("v3"));
  expect(await child()).toBe("v3");

  await wait.completeToken(token, {});
  const resumed = (await outputOf(patient.id)) as { before: number; again: number; alone: string };
  expect(resumed).toMatchObject({ version: "v1", child: "v1" });
  expect(resumed.again).toBe(resumed.before);
  expect((await runs.retrieve(patient.id)).version).toBe(first);
  // A child that is not waited for runs on the current version.
  expect(await outputOf(resumed.alone)).toBe("v3");
  expect(existsSync(join(server.dataDir, "blobs/bundles", bundleOfFirst ?? ""))).toBe(true);

  writeFileSync(file, "");
  expect(await outputOf(busy.id)).toEqual({ version: "v1", child: "v1" });
  await eventually(
    "the bundle of the first version is deleted",
    () => !existsSync(join(server.dataDir, "blobs/bundles", bundleOfFirst ?? "")),
    120_000,
  );
  await expect(tasks.trigger("child", undefined, { version: first })).rejects.toThrow(/not kept any more/);
  expect(await child()).toBe("v3");
});
