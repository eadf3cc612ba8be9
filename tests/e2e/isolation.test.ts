/** A task in a child process looks for the secrets of the server, of the host and of other environments. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { auth, runs, tasks } from "@acme/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { task } from "@acme/sdk";

/** Reads these paths: returns their content, or the error's code. */
export const snoop = task({
  id: "snoop",
  run: async ({ paths }: { paths: string[] }) => {
    const found: Record<string, string> = {};
    for (const path of paths) {
      try {
        const real = path.replace("PARENT", String(process.ppid));
        found[path] = statSync(real).isDirectory() ? readdirSync(real).join(" ") : readFileSync(real, "utf8");
      } catch (error) {
        found[path] = (error as NodeJS.ErrnoException).code ?? String(error);
      }
    }
    return { uid: process.getuid?.(), found };
  },
});
`;

const isRoot = process.getuid?.() === 0;
const NAMES = ["server", "worker", "host"] as const;

describe.skipIf(process.platform !== "linux")("a task in a child process", () => {
  let server: LocalServer;
  let secrets: string[];
  let found: Record<string, string>;
  let uid: number;

  beforeAll(async () => {
    server = await startLocalServer({ executor: "process", example: false });
    secrets = Object.values(
      JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8")) as Record<string, string>,
    );
    await deployTaskFile(server, TASKS);
    const pids = server.pids();
    const paths = [
      "/proc/PARENT/environ",
      "/proc/PARENT/cmdline",
      ...NAMES.flatMap((name) => [`/proc/${pids[name]}/environ`, `/proc/${pids[name]}/cmdline`]),
      ...["", "secrets.json", "local.json", "objects", "generated", "host", "host/host-id"].map((name) =>
        join(server.dataDir, name),
      ),
    ];
    const client = { baseURL: server.apiUrl, accessToken: server.secretKey };
    const run = await auth.withAuth(client, async () =>
      runs.poll(await tasks.trigger("snoop", { paths }), { pollIntervalMs: 100 }),
    );
    ({ found, uid } = run.output as { found: Record<string, string>; uid: number });
  });
  afterAll(() => server?.stop());

  it("finds no secret in the environment and the arguments of the processes that run it", () => {
    for (const [path, content] of Object.entries(found)) {
      if (!path.startsWith("/proc")) continue;
      expect([path, secrets.filter((secret) => content.includes(secret))]).toEqual([path, []]);
    }
  });

  it("leaves none in files either: the Worker's are gone once it has started", () => {
    expect(readdirSync(join(server.dataDir, "generated"))).not.toContain("secrets");
    expect(readFileSync(join(server.dataDir, "generated/workerd.capnp"), "utf8")).not.toContain(secrets[0]);
  });

  it.skipIf(!isRoot)("runs as another user, and reads nothing of the server's and the host's", () => {
    expect(uid).toBeGreaterThan(1_000);
    for (const [path, content] of Object.entries(found)) {
      // Arguments are public on Linux.
      if (!path.endsWith("/cmdline")) expect([path, content]).toEqual([path, "EACCES"]);
    }
  });
});
