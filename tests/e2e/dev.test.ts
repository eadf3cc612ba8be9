/** `acme dev`: the tasks of a folder, executed on this machine through the tunnel, as they are edited. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configure, runs, tasks } from "@acme/sdk";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { acmeCommand } from "../support/acme-command.ts";
import { type CutProxy, startCutProxy } from "../support/cut-proxy.ts";
import { type DevCommand, type DevLine, startDev } from "../support/dev-command.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { accessTokenOf } from "../support/member.ts";

const tasksFile = (greeting: string) => `
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { logger, task, wait } from "@acme/sdk";

export const greet = task({
  id: "greet",
  run: async ({ name }: { name: string }) => {
    logger.info("Greeting " + name);
    return { text: "${greeting}, " + name, local: process.env.LOCAL_VARIABLE };
  },
});

export const pause = task({
  id: "pause",
  run: async () => {
    await wait.for({ seconds: 6 });
    return "woken";
  },
});

/** Ends when the file exists. */
export const until = task({
  id: "until",
  run: async ({ file }: { file: string }) => {
    while (!existsSync(file)) await sleep(20);
    return "${greeting}";
  },
});

export const count = task({
  id: "count",
  retry: { maxAttempts: 1 },
  run: async ({ file, index }: { file: string; index: number }) => {
    await sleep(20);
    appendFileSync(file, index + "\\n");
    return index;
  },
});
`;

let server: LocalServer;
let proxy: CutProxy;
let access: { apiUrl: string; secretKey?: string; accessToken?: string };
let folder: string;
const started: DevCommand[] = [];

const taskFile = () => join(folder, "trigger/tasks.ts");
const isVersion = (line: DevLine) => line.type === "version";
const isStarted = (runId: string) => (line: DevLine) =>
  line.type === "run" && line.state === "started" && line.runId === runId;

function dev(...args: string[]): DevCommand {
  const command = startDev(folder, access, args);
  started.push(command);
  return command;
}

async function result(id: string): Promise<{ status: string; output?: unknown }> {
  return eventually(`run ${id} is over`, async () => {
    const run = await runs.retrieve(id);
    return run.isCompleted && run;
  });
}

beforeAll(async () => {
  server = await startLocalServer({ example: false });
  proxy = await startCutProxy(server.apiUrl);
  configure({ baseURL: server.apiUrl, accessToken: server.devSecretKey });
});
afterAll(async () => {
  await proxy?.close();
  await server?.stop();
});
beforeEach(() => {
  access = { apiUrl: proxy.url, secretKey: server.devSecretKey };
  folder = mkdtempSync(join(tmpdir(), "acme-dev-"));
  mkdirSync(join(folder, "trigger"));
  writeFileSync(
    join(folder, "acme.config.ts"),
    `export default { project: ${JSON.stringify(server.projectRef)} };`,
  );
  writeFileSync(join(folder, ".env"), "LOCAL_VARIABLE=from a file");
  writeFileSync(taskFile(), tasksFile("Hello"));
});
afterEach(async () => {
  for (const command of started.splice(0)) await command.end("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

describe("the loop", () => {
  it("executes runs, registers edits, and lets executing runs finish on their code", async () => {
    const command = dev();
    const first = await command.line("the first version", isVersion);
    expect(first.tasks).toEqual(["greet", "pause", "until", "count"]);
    const hello = await tasks.trigger("greet", { name: "you" });
    expect((await result(hello.id)).output).toEqual({ text: "Hello, you", local: "from a file" });
    await command.line(
      "its log",
      ({ type, entries }) => type === "log" && entries?.[0]?.message === "Greeting you",
    );

    const file = join(folder, "go-on");
    const old = await tasks.trigger("until", { file });
    await command.line("the old code executes", isStarted(old.id));
    writeFileSync(taskFile(), tasksFile("Good day"));
    const second = await command.line("the second version", isVersion, command.lines.indexOf(first) + 1);
    expect(second.version).not.toBe(first.version);
    const edited = await tasks.trigger("greet", { name: "you" });
    expect((await result(edited.id)).output).toMatchObject({ text: "Good day, you" });
    writeFileSync(file, "");
    expect((await result(old.id)).output).toBe("Hello");

    writeFileSync(taskFile(), "export const broken = (;\n");
    const problem = await command.line("the problem", ({ type }) => type === "problem");
    expect(problem.message).toContain("trigger/tasks.ts:1:24");
    const still = await tasks.trigger("greet", { name: "you" });
    expect((await result(still.id)).output).toMatchObject({ text: "Good day, you" });

    writeFileSync(taskFile(), tasksFile("Good day"));
    await command.line("it is solved", ({ type }) => type === "solved");
    writeFileSync(join(folder, ".env"), "LOCAL_VARIABLE=changed");
    await command.line("a version with the variable", isVersion, command.lines.indexOf(second) + 1);
    const changed = await tasks.trigger("greet", { name: "you" });
    expect((await result(changed.id)).output).toMatchObject({ local: "changed" });
  });

  it("suspends a run that waits, with no process, and continues it", async () => {
    const command = dev();
    await command.line("the first version", isVersion);
    const { id } = await tasks.trigger("pause", undefined);
    await command.line("it is suspended", ({ runId, state }) => runId === id && state === "suspended");
    expect((await result(id)).output).toBe("woken");
  });

  it("returns the runs that it executes when it is interrupted", async () => {
    const file = join(folder, "go-on");
    const first = dev();
    await first.line("the first version", isVersion);
    const { id } = await tasks.trigger("until", { file });
    await first.line("it executes", isStarted(id));
    expect(await first.end("SIGINT")).toBe(0);
    // At once, not when a lease expires.
    await eventually(
      "the run is queued again",
      async () => (await runs.retrieve(id)).status === "QUEUED",
      5_000,
    );
    writeFileSync(file, "");
    dev();
    expect((await result(id)).output).toBe("Hello");
  });
});

it("accepts an access token instead of a key", async () => {
  access = { apiUrl: proxy.url, accessToken: server.accessToken };
  const command = dev();
  await command.line("the first version", isVersion);
  const { id } = await tasks.trigger("greet", { name: "you" });
  expect((await result(id)).output).toMatchObject({ text: "Hello, you" });
});

it("gives each member a development environment of their own, which nobody else sees", async () => {
  const member = async (name: string) => {
    const own = mkdtempSync(join(tmpdir(), "acme-dev-"));
    cpSync(folder, own, { recursive: true });
    writeFileSync(join(own, "trigger/tasks.ts"), tasksFile(`Hello from ${name}`));
    const accessToken = await accessTokenOf(server, `${name}@acme.localhost`, "developer");
    const command = startDev(own, { apiUrl: proxy.url, accessToken });
    started.push(command);
    const env = { ACME_ACCESS_TOKEN: accessToken, ACME_PROJECT_REF: server.projectRef };
    const acme = (...args: string[]) =>
      acmeCommand(server, [...args, "--env", "dev", "--json"], { env: { ...env, ACME_CONFIG_DIR: own } });
    return { own, command, acme };
  };
  const ada = await member("ada");
  const bob = await member("bob");
  try {
    const slugs: string[] = [];
    for (const { command } of [ada, bob]) {
      await command.line("the first version", isVersion);
      slugs.push(
        (await command.line("its environment", ({ type }) => type === "connected")).environment ?? "",
      );
    }
    expect(slugs).toEqual([expect.stringMatching(/^dev-/), expect.stringMatching(/^dev-/)]);
    expect(new Set(slugs).size).toBe(2);
    const triggered = async ({ acme }: typeof ada) => {
      const { stdout } = await acme("trigger", "greet", '{"name":"you"}');
      return (JSON.parse(stdout) as { id: string }).id;
    };
    const ids = await Promise.all([triggered(ada), triggered(bob)]);
    const shown = async ({ acme }: typeof ada, id: string) => acme("runs", "get", id);
    const outputOf = (who: typeof ada, id: string) =>
      eventually(`run ${id} is over`, async () => {
        const { code, stdout, stderr } = await shown(who, id);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        const run = JSON.parse(stdout) as { isCompleted: boolean; output?: { text: string } };
        return run.isCompleted && run.output?.text;
      });
    expect(await outputOf(ada, ids[0])).toBe("Hello from ada, you");
    expect(await outputOf(bob, ids[1])).toBe("Hello from bob, you");
    // Only their own runs are executed, listed and found.
    for (const [index, { command, acme }] of [ada, bob].entries()) {
      expect(command.lines.filter(({ type }) => type === "run").map(({ runId }) => runId)).not.toContain(
        ids[1 - index],
      );
      const listed = await eventually("the run is listed", async () => {
        const data = JSON.parse((await acme("runs", "list")).stdout) as { id: string }[];
        return data.length > 0 && data.map(({ id }) => id);
      });
      expect(listed).toEqual([ids[index]]);
    }
    expect(await shown(bob, ids[0])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("was not found"),
    });
    const byName = await acmeCommand(server, ["runs", "list", "--env", slugs[0] ?? ""], {
      env: {
        ACME_ACCESS_TOKEN: await accessTokenOf(server, "bob@acme.localhost", "developer"),
        ACME_PROJECT_REF: server.projectRef,
      },
    });
    expect(byName).toMatchObject({ code: 1, stderr: expect.stringContaining("There is no environment") });
  } finally {
    for (const { own } of [ada, bob]) rmSync(own, { recursive: true, force: true });
  }
});

it("serves a branch of a member's environment beside the environment itself", async () => {
  const accessToken = await accessTokenOf(server, "branches@example.com", "developer");
  access = { apiUrl: proxy.url, accessToken };
  await dev().line("the first version", isVersion);
  const other = mkdtempSync(join(tmpdir(), "acme-dev-"));
  const own = folder;
  try {
    mkdirSync(join(other, "trigger"));
    writeFileSync(join(other, "acme.config.ts"), readFileSync(join(own, "acme.config.ts")));
    writeFileSync(join(other, "trigger/tasks.ts"), tasksFile("On the branch"));
    folder = other;
    await dev("--branch", "feat/search").line("the branch's version", isVersion);
    const triggered = async (variables: Record<string, string>) => {
      const args = ["trigger", "greet", '{"name":"you"}', "--env", "dev", "--wait"];
      const { code, stdout, stderr } = await acmeCommand(
        server,
        [...args, "--project-ref", server.projectRef],
        {
          env: { ACME_ACCESS_TOKEN: accessToken, ...variables },
        },
      );
      expect([code, stderr]).toEqual([0, expect.any(String)]);
      return (JSON.parse(stdout) as { text: string }).text;
    };
    for (let round = 0; round < 2; round++) {
      expect(await triggered({})).toBe("Hello, you");
      expect(await triggered({ ACME_DEV_BRANCH: "feat/search" })).toBe("On the branch, you");
    }
  } finally {
    folder = own;
    rmSync(other, { recursive: true, force: true });
  }
});

describe("failures", () => {
  it("ends with a remedy for a wrong key, another environment's key, and a missing configuration", async () => {
    access = { ...access, secretKey: "tr_dev_000000000000000000000000" };
    const wrong = dev();
    expect(await wrong.exited).toBe(1);
    expect(wrong.errors.join("\n")).toMatch(/The API key is invalid or revoked/);

    access = { ...access, secretKey: server.secretKey };
    const production = dev();
    expect(await production.exited).toBe(1);
    expect(production.errors.join("\n")).toMatch(/environment "prod" execute on container hosts/);

    access = { ...access, secretKey: server.devSecretKey };
    rmSync(join(folder, "acme.config.ts"));
    const without = dev();
    expect(await without.exited).toBe(1);
    expect(without.errors.join("\n")).toMatch(/No acme.config.ts or trigger.config.ts/);
  });

  it("refuses a second machine, unless it takes over", async () => {
    const first = dev();
    await first.line("the first version", isVersion);
    const other = mkdtempSync(join(tmpdir(), "acme-dev-"));
    const own = folder;
    try {
      mkdirSync(join(other, "trigger"));
      writeFileSync(join(other, "acme.config.ts"), readFileSync(join(own, "acme.config.ts")));
      writeFileSync(join(other, "trigger/tasks.ts"), tasksFile("Elsewhere"));
      folder = other;
      const refused = dev();
      expect(await refused.exited).toBe(1);
      expect(refused.errors.join("\n")).toMatch(/executes the runs of this environment.*--take-over/);
      // The refused machine changed nothing.
      const { id } = await tasks.trigger("greet", { name: "you" });
      expect((await result(id)).output).toMatchObject({ text: "Hello, you" });

      const taking = dev("--take-over");
      await taking.line("its version", isVersion);
      expect(await first.exited).toBe(1);
      expect(first.errors.join("\n")).toMatch(/took over/);
      const later = await tasks.trigger("greet", { name: "you" });
      expect((await result(later.id)).output).toMatchObject({ text: "Elsewhere, you" });
      await taking.end("SIGINT");
    } finally {
      folder = own;
      rmSync(other, { recursive: true, force: true });
    }
  });

  it("gives each of 200 runs one outcome while the connection is cut and the command killed", async () => {
    const file = join(folder, "done");
    let command = dev();
    await command.line("the first version", isVersion);
    const handles = [];
    for (let index = 0; index < 200; index++) {
      handles.push(await tasks.trigger("count", { file, index }));
      if (index % 40 === 20) {
        const at = command.lines.length;
        expect(proxy.cut()).toBeGreaterThan(0);
        await command.line("the cut", ({ isOpen }) => isOpen === false, at);
        await command.line("the connection", ({ isOpen }) => isOpen === true, at);
      }
      if (index === 70 || index === 150) {
        await command.end("SIGKILL");
        command = dev();
        await command.line("its version", isVersion);
      }
    }
    const ended = [];
    for (const { id } of handles) ended.push(await result(id));
    // A run that executed when the command was killed has crashed; all others completed.
    const others = ended.filter(({ status }) => status !== "COMPLETED" && status !== "CRASHED");
    expect(others).toEqual([]);
    // A run whose start was not yet reported when the command was killed is executed again: no run is lost.
    const done = new Set(readFileSync(file, "utf8").trim().split("\n").map(Number));
    const completed = ended.flatMap(({ status }, index) => (status === "COMPLETED" ? [index] : []));
    expect(completed.filter((index) => !done.has(index))).toEqual([]);
    expect(completed.length).toBeGreaterThan(100);
  });
});
