/** The command line against a real server, and what a task's own code sees of the platform. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Role } from "@acme/sdk/contract/api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Profile, Profiles } from "../../cli/src/profiles.ts";
import { acmeCommand, type CommandResult } from "../support/acme-command.ts";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";
import { signIn } from "../support/member.ts";

const TASKS = `
import { logger, metadata, queue, queues, task, wait } from "@acme/sdk";

const shared = queue({ name: "shared", concurrencyLimit: 3 });

export const greet = task({
  id: "greet",
  run: async ({ name }: { name: string }) => {
    logger.info("Greeting", { name });
    return { message: "Hello, " + name };
  },
});

/** Retrieves its queue by both names in its context. */
const lookUp = async ({ id, name }: { id: string; name: string }, type: "task" | "custom") => {
  const found = [await queues.retrieve(id), await queues.retrieve({ type, name })];
  return found.map((queue) => [queue.type, queue.name, queue.id]);
};
export const own = task({ id: "own", run: async (_: unknown, { ctx }) => lookUp(ctx.queue, "task") });
export const other = task({ id: "other", queue: shared, run: async (_: unknown, { ctx }) => lookUp(ctx.queue, "custom") });

export const checklist = task({
  id: "checklist",
  run: async () => {
    metadata.set("items", [{ done: false }, { done: false }]);
    await metadata.flush();
    metadata.set("$.items.0.done", true);
    await metadata.flush();
    metadata.append("log", "first");
    await metadata.flush();
    return metadata.current();
  },
});

export const verbose = task({
  id: "verbose",
  retry: { maxAttempts: 1 },
  run: async () => {
    throw new Error("begin\\n" + "line\\n".repeat(500_000) + "end");
  },
});

export const approval = task({
  id: "approval",
  run: async ({ token }: { token: string }) => wait.forToken<{ ok: boolean }>(token).unwrap(),
});
`;

let server: LocalServer;
let project: string;
beforeAll(async () => {
  server = await startLocalServer({ example: false });
  project = mkdtempSync(join(tmpdir(), "acme-project-"));
  mkdirSync(join(project, "src/trigger"), { recursive: true });
  writeFileSync(
    join(project, "acme.config.ts"),
    `export default { project: ${JSON.stringify(server.projectRef)} };`,
  );
  writeFileSync(join(project, "src/trigger/tasks.ts"), TASKS.replaceAll("\\\\n", "\\n"));
  expect(await acme(["deploy", project])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await server?.stop();
  if (project) rmSync(project, { recursive: true, force: true });
});

const acme = (args: string[], input?: string, env?: Record<string, string>): Promise<CommandResult> =>
  acmeCommand(server, args, { input, env });
async function json(args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await acme([...args, "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as unknown;
}
/** Lists follow the objects within a moment. */
const eventually = (args: string[], expected: object): Promise<void> =>
  expect.poll(() => json(args), { timeout: 60_000, interval: 200 }).toMatchObject(expected);
const output = async (task: string, payload = "{}"): Promise<unknown> =>
  json(["trigger", task, payload, "--wait"]);

describe("a task", () => {
  it("knows its queue by names that retrieve it", async () => {
    const [byId, byName] = (await output("own")) as [unknown, unknown];
    expect(byId).toEqual(byName);
    expect(byId).toEqual(["task", "own", expect.stringMatching(/^queue_/)]);
    const [sharedById, sharedByName] = (await output("other")) as [unknown, unknown];
    expect(sharedById).toEqual(sharedByName);
    expect(sharedById).toEqual(["custom", "shared", expect.stringMatching(/^queue_/)]);
  });

  it("edits metadata inside an array, and the server keeps the array", async () => {
    const handle = (await json(["trigger", "checklist", "{}"])) as { id: string };
    expect(await output("checklist")).toEqual({ items: [{ done: true }, { done: false }], log: ["first"] });
    await acme(["runs", "logs", handle.id, "--follow"]);
    expect(await json(["runs", "get", handle.id])).toMatchObject({
      metadata: { items: [{ done: true }, { done: false }], log: ["first"] },
    });
  });

  it("that throws a very long message fails with its beginning and its end", async () => {
    const failed = await acme(["trigger", "verbose", "{}", "--wait"]);
    expect(failed.code).toBe(1);
    const id = /Run (run_\w+) ended as FAILED/.exec(failed.stderr)?.[1] ?? "";
    const run = (await json(["runs", "get", id])) as { error: { message: string; stackTrace: string } };
    expect(run.error.message).toMatch(/^begin\n.*… \[\d+ bytes cut\] ….*\nend$/s);
    expect(Buffer.byteLength(run.error.message)).toBeLessThanOrEqual(8 * 1024);
    expect(run.error.stackTrace).toContain("src/trigger/tasks.ts");
    expect(run.error.stackTrace).not.toContain("#callRun");
  });
});

describe("acme", () => {
  it("lists errors, shows, resolves, ignores and reopens one, and says what a search of logs needs", async () => {
    await acme(["trigger", "verbose", "{}", "--wait"]);
    const listed = ["errors", "list", "--task", "verbose"];
    await eventually(listed, [{ status: "unresolved" }]);
    const [error] = (await json(listed)) as { id: string }[];
    const id = error?.id as string;
    expect((await acme(["errors", "list"])).stdout).toContain(id);
    expect((await acme(["errors", "get", id])).stdout).toMatch(/Task +verbose[\s\S]*Last runs +run_/);
    const done = async (...args: string[]) => (await acme(["errors", ...args])).stdout;
    expect(await done("resolve", id)).toMatch(/ is resolved( in \S+)?\.\n$/);
    expect((await acme(["errors", "list", "--task", "verbose"])).stderr).toContain(
      "no errors that are unresolved",
    );
    expect(await done("ignore", id, "--for", "1h", "--reason", "known")).toMatch(
      / is ignored until \S+\.\n$/,
    );
    expect(await done("list", "--status", "ignored,resolved")).toContain(id);
    expect(await done("reopen", id)).toContain("is unresolved again.");
    expect(await acme(["errors", "ignore", id, "--for", "soon"])).toMatchObject({ code: 1 });

    const search = await acme(["logs", "search", "hello", "--level", "error"]);
    expect(search).toMatchObject({ code: 1, stderr: expect.stringContaining("ClickHouse") });
    expect(await acme(["logs", "search", "--limit", "0"])).toMatchObject({ code: 1 });
  });

  it("lists, shows, follows, replays and cancels runs", async () => {
    const payload = await acme(["trigger", "greet", "-", "--wait", "--tag", "cli"], '{"name":"Ada"}');
    expect(JSON.parse(payload.stdout)).toEqual({ message: "Hello, Ada" });
    await eventually(
      ["runs", "list", "--tag", "cli", "--status", "completed"],
      [{ taskIdentifier: "greet" }],
    );
    const [run] = (await json(["runs", "list", "--tag", "cli"])) as [{ id: string }];
    expect((await acme(["runs", "list", "--tag", "cli"])).stdout).toMatch(
      new RegExp(`^${run.id}  COMPLETED  \\S+Z  .* greet\n$`),
    );

    const logs = await acme(["runs", "logs", run.id, "--follow"]);
    expect(logs).toMatchObject({ code: 0 });
    expect(logs.stdout).toMatch(/info +Greeting \{"name":"Ada"\}/);
    expect(logs.stdout).toContain("The run is COMPLETED");

    const replayed = await acme(["runs", "replay", run.id, "--payload", '{"name":"Grace"}']);
    await acme(["runs", "logs", replayed.stdout.trim(), "--follow"]);
    expect(await json(["runs", "get", replayed.stdout.trim()])).toMatchObject({
      output: { message: "Hello, Grace" },
      tags: ["cli"],
    });

    const delayed = (await acme(["trigger", "greet", "{}", "--delay", "1h"])).stdout.trim();
    expect(await acme(["runs", "cancel", delayed])).toMatchObject({ code: 0 });
    await eventually(["runs", "list", "--status", "canceled"], [{ id: delayed }]);
  });

  it("pauses and resumes a queue, by name and by id", async () => {
    const paused = (await json(["queues", "pause", "task/greet"])) as { id: string };
    expect(paused).toMatchObject({ name: "greet", type: "task", paused: true });
    expect(await json(["queues", "list"])).toContainEqual(
      expect.objectContaining({ name: "shared", concurrencyLimit: 3, paused: false }),
    );
    expect(await json(["queues", "resume", paused.id])).toMatchObject({ name: "greet", paused: false });
    expect(await acme(["queues", "get", "nope"])).toMatchObject({ code: 1, stdout: "" });
  });

  it("completes a token, and the run that waits for it resumes", async () => {
    const token = (await json(["tokens", "create", "--tag", "cli"])) as { id: string };
    const id = (await acme(["trigger", "approval", JSON.stringify({ token: token.id })])).stdout.trim();
    expect(await acme(["tokens", "complete", token.id, '{"ok":true}'])).toMatchObject({ code: 0 });
    await acme(["runs", "logs", id, "--follow"]);
    expect(await json(["runs", "get", id])).toMatchObject({ status: "COMPLETED", output: { ok: true } });
    await eventually(["tokens", "list", "--tag", "cli"], [{ id: token.id, status: "COMPLETED" }]);
  });

  it("sets, imports, pulls and deletes environment variables, and never shows a secret", async () => {
    const env = (...args: string[]) => ["env", ...args, "-p", server.projectRef];
    expect((await acme(env("set", "LEVEL=debug", "EQUATION=a=b"))).stdout).toContain("LEVEL, EQUATION");
    expect(await acme(env("set", "--secret", "API_KEY=-"), "s3cret\n")).toMatchObject({ code: 0 });
    const listed = await acme(env("list"));
    expect(listed.stdout).toMatch(/^EQUATION {2}\S+ {2}a=b$/m);
    expect(listed.stdout).toMatch(/^API_KEY .* \(secret\)$/m);
    expect((await acme(env("get", "EQUATION"))).stdout).toBe("a=b\n");
    const secret = await acme(env("get", "API_KEY"));
    expect(secret).toMatchObject({ code: 1, stdout: "" });
    expect(JSON.stringify([secret, listed])).not.toContain("s3cret");

    const file = join(project, ".env.test");
    expect(await acme(env("pull", file))).toMatchObject({ code: 0 });
    expect(readFileSync(file, "utf8").split("\n")).toEqual(
      expect.arrayContaining(["LEVEL=debug", "EQUATION=a=b", "# API_KEY is a secret: set it here by hand"]),
    );
    expect((await acme(env("pull", file))).stderr).toContain("exists. Pass --force");
    writeFileSync(file, 'LEVEL=info\nTEXT="two\nlines"\n');
    const imported = await acme(env("import", file));
    expect(imported.stdout).toContain("TEXT");
    expect(imported.stderr).toContain("LEVEL");
    expect((await acme(env("get", "LEVEL"))).stdout).toBe("debug\n");
    expect(await acme(env("import", file, "--override"))).toMatchObject({ code: 0 });
    expect((await acme(env("get", "LEVEL"))).stdout).toBe("info\n");
    expect((await acme(env("get", "TEXT"))).stdout).toBe("two\nlines\n");

    expect(await acme(env("rm", "LEVEL", "TEXT"))).toMatchObject({ code: 0 });
    expect(await json(env("list"))).toMatchObject([{ name: "API_KEY" }, { name: "EQUATION" }]);
    expect(await acme(env("set", "ACME_X=1"))).toMatchObject({ code: 1, stdout: "" });
    expect(await acme(env("set", "NOVALUE"))).toMatchObject({ code: 2 });
  });

  it("ends quietly when the reader of its output ends", async () => {
    const script = `"${process.execPath}" "${join(ROOT, "cli/bin/acme.mjs")}" completion bash | head -1; exit \${PIPESTATUS[0]}`;
    const code = await new Promise((resolve) =>
      execFile("bash", ["-c", script], (error) => resolve(error ? error.code : 0)),
    );
    expect(code).toBe(0);
  });
});

describe("a login", () => {
  it("is allowed in a browser, does what a key does, and ends with its token", async () => {
    const config = mkdtempSync(join(tmpdir(), "acme-config-"));
    const env = { ACME_CONFIG_DIR: config, ACME_PROJECT_REF: server.projectRef };
    const asked = async <T>(args: string[]): Promise<T> => {
      const { code, stdout, stderr } = await acme([...args, "--json"], undefined, env);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
      return JSON.parse(stdout) as T;
    };
    try {
      expect(await acme(["runs", "list"], undefined, env)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("You are not logged in"),
      });
      const { stderr } = await login(env, "owner@acme.localhost", "owner");
      expect(stderr).toContain(`${server.apiUrl}/device?code=`);
      const file = join(config, "profiles.json");
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const { accessToken } = (JSON.parse(readFileSync(file, "utf8")) as Profiles).profiles
        .default as Profile;

      expect(await asked(["whoami"])).toMatchObject({
        user: { email: "owner@acme.localhost" },
        role: "owner",
        organization: { slug: "default" },
        token: { scopes: ["read", "write", "deploy"] },
        projectRef: server.projectRef,
      });
      const run = await asked<{ output: unknown }>(["trigger", "greet", '{"name":"Ada"}', "--wait"]);
      expect(run).toEqual({ message: "Hello, Ada" });
      const followed = await acme(["trigger", "greet", '{"name":"Bob"}', "--follow"], undefined, env);
      expect(followed).toMatchObject({ code: 0, stdout: expect.stringContaining("COMPLETED") });
      expect(await acme(["keys", "create"], undefined, env)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("lacks the scope admin"),
      });

      expect(await asked(["logout"])).toMatchObject({ profile: "default", revoked: true, current: null });
      const refused = await acme(["whoami"], undefined, { ...env, ACME_ACCESS_TOKEN: accessToken });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("invalid or revoked") });
      expect(await acme(["logout"], undefined, env)).toMatchObject({ code: 1 });
    } finally {
      rmSync(config, { recursive: true, force: true });
    }
  });

  it("of a viewer follows what it may read, and triggers nothing", async () => {
    const config = mkdtempSync(join(tmpdir(), "acme-config-"));
    const env = { ACME_CONFIG_DIR: config, ACME_PROJECT_REF: server.projectRef };
    try {
      await login(env, "viewer@acme.localhost", "viewer");
      expect(await acme(["trigger", "greet", '{"name":"Eve"}'], undefined, env)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Your role in this organization is viewer"),
      });
      const tail = spawn(process.execPath, [join(ROOT, "cli/bin/acme.mjs"), "runs", "tail"], {
        cwd: tmpdir(),
        env: { ...process.env, ACME_API_URL: server.apiUrl, ...env },
      });
      try {
        let shown = "";
        tail.stdout.on("data", (text) => (shown += text));
        tail.stderr.on("data", (text) => (shown += text));
        // The tail shows what happens once it is connected.
        await expect
          .poll(() => acme(["trigger", "greet", '{"name":"Bob"}']).then(() => shown), { timeout: 60_000 })
          .toMatch(/run_\w+ greet/);
      } finally {
        tail.kill();
      }
    } finally {
      rmSync(config, { recursive: true, force: true });
    }
  });

  it("is made with a token, and is one of several", async () => {
    const config = mkdtempSync(join(tmpdir(), "acme-config-"));
    const env = { ACME_CONFIG_DIR: config };
    try {
      const given = ["login", "--token", "-", "--profile", "ci"];
      expect(await acme(given, server.accessToken, env)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("Logged in"),
      });
      expect(await acme(["login", "--token", "tr_prod_no"], "", env)).toMatchObject({ code: 1 });
      expect(await acme(["login", "--token", "tr_pat_no"], "", env)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("invalid or revoked"),
      });
      await acme(["login", "--token", server.accessToken, "--profile", "other"], "", env);
      const profiles = async () =>
        JSON.parse((await acme(["profiles", "--json"], "", env)).stdout) as unknown;
      expect(await profiles()).toMatchObject([
        { name: "ci", current: false, organization: "default", email: null, apiUrl: server.apiUrl },
        { name: "other", current: true },
      ]);
      expect((await acme(["switch", "ci"], "", env)).code).toBe(0);
      expect(await profiles()).toMatchObject([{ current: true }, { current: false }]);
      expect(await acme(["switch", "none"], "", env)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Profiles: ci, other"),
      });
      // A token that the user passed is not revoked, because others use it.
      expect((await acme(["logout"], "", env)).stdout).toContain("was not revoked");
      expect((await acme(["whoami"])).code).toBe(0);
    } finally {
      rmSync(config, { recursive: true, force: true });
    }
  });
});

describe("keys", () => {
  it("are created, listed, rotated and revoked", async () => {
    const of = ["-p", server.projectRef];
    const created = await acme(["keys", "create", "--name", "web", ...of]);
    // Standard output contains only the key.
    expect(created).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^tr_prod_sk_[0-9a-zA-Z]{24}\n$/),
    });
    const key = created.stdout.trim();
    const runs = (secret: string) => acme(["runs", "list"], "", { ACME_SECRET_KEY: secret });
    expect((await runs(key)).code).toBe(0);
    interface Listed {
      id: string;
      name: string;
      start: string;
      revokedAt?: string;
    }
    const list = async (...more: string[]) => (await json(["keys", "list", ...more, ...of])) as Listed[];
    const own = (await list()).find(({ start }) => start !== null && key.startsWith(start));
    expect(own).toMatchObject({ name: "web", start: key.slice(0, 15) });
    const id = own?.id ?? "";
    const next = (await json(["keys", "rotate", id, "--overlap", "1h", ...of])) as Listed & { key: string };
    expect(next).toMatchObject({ name: "web", key: expect.stringMatching(/^tr_prod_sk_/) });
    expect([(await runs(key)).code, (await runs(next.key)).code]).toEqual([0, 0]);
    expect((await acme(["keys", "revoke", id, ...of])).code).toBe(0);
    await expect.poll(async () => (await runs(key)).code, { timeout: 20_000 }).toBe(1);
    expect((await list()).map((each) => each.id)).not.toContain(id);
    expect((await list("--all")).map((each) => each.id)).toContain(id);
    expect(await acme(["keys", "revoke", id, ...of])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is not an accepted key"),
    });
  });
});

/** Runs `acme login`, and has a member with this role allow it once the code is shown. */
async function login(env: Record<string, string>, email: string, role: Role): Promise<CommandResult> {
  const cookie = await signIn(server, email, role);
  const allow = async (userCode: string) => {
    const approved = await fetch(`${server.apiUrl}/api/v1/device/approve`, {
      method: "POST",
      headers: { cookie, origin: server.apiUrl, "content-type": "application/json" },
      body: JSON.stringify({ userCode, organization: "default" }),
    });
    expect(approved.status).toBe(200);
  };
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [join(ROOT, "cli/bin/acme.mjs"), "login"],
      { cwd: tmpdir(), env: { ...process.env, ACME_API_URL: server.apiUrl, ...env }, timeout: 120_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(stderr));
        else resolve({ code: 0, stdout, stderr });
      },
    );
    let shown = "";
    let asked = false;
    child.stderr?.on("data", (text: string) => {
      shown += text;
      const code = /the code ([A-Z]{4}-[A-Z]{4})/.exec(shown)?.[1];
      if (code === undefined || asked) return;
      asked = true;
      allow(code).catch(reject);
    });
  });
}
