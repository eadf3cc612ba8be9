import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { acmeCommand, type CommandResult, credentialsOf } from "../support/acme-command.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

let server: LocalServer;
let project: string;
beforeAll(async () => {
  server = await startLocalServer({ example: false });
});
afterAll(() => server?.stop());
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "acme-project-"));
  mkdirSync(join(project, "src/trigger"), { recursive: true });
  return () => rmSync(project, { recursive: true, force: true });
});

function write(greeting: string, projectRef = server.projectRef): void {
  writeFileSync(
    join(project, "trigger.config.ts"),
    `export default { project: ${JSON.stringify(projectRef)} };`,
  );
  writeFileSync(
    join(project, "src/trigger/greet.ts"),
    `import { task } from "@trigger.dev/sdk/v3";
export const greet = task({ id: "greet", run: async (payload: { name: string }) => "${greeting}, " + payload.name });`,
  );
}

const acme = (args: string[], env: Record<string, string> = {}): Promise<CommandResult> =>
  acmeCommand(server, args, { env: { ...credentialsOf(server), ...env } });

const VERSION = /Version (\d{8}\.\d+) /;

describe("acme", () => {
  it("deploys a project in any folder, runs its tasks, and rolls back to an earlier version", async () => {
    write("Good morning");
    const first = await acme(["deploy", project, "--env", "prod"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toContain("greet  src/trigger/greet.ts");
    expect(first.stdout).toContain("now the current one");
    const trigger = async () => (await acme(["trigger", "greet", '{"name":"Ada"}', "--wait"])).stdout.trim();
    expect(await trigger()).toBe('"Good morning, Ada"');

    write("Good evening");
    const second = await acme(["deploy", project, "--env", "prod", "--skip-promotion"]);
    expect(second.stdout).toContain("not promoted");
    expect(await trigger()).toBe('"Good morning, Ada"');

    const version = VERSION.exec(second.stdout)?.[1] ?? "";
    expect(await acme(["promote", version, project])).toMatchObject({ code: 0 });
    expect(await trigger()).toBe('"Good evening, Ada"');

    const list = await acme(["runs", "list", "--task", "greet"]);
    expect(list.stdout.trim().split("\n")).toHaveLength(3);
    const id = list.stdout.split(" ")[0]!;
    expect(JSON.parse((await acme(["runs", "get", id])).stdout)).toMatchObject({ id, status: "COMPLETED" });
  });

  it("deploys to a branch of the preview environment, which has runs of its own until it is archived", async () => {
    const branch = "feat/search";
    const of = ["-p", server.projectRef];
    const onBranch = { ACME_SECRET_KEY: "", ACME_PREVIEW_BRANCH: branch };
    const branches = async (...args: string[]) =>
      JSON.parse((await acme(["branches", "list", ...of, "--json", ...args])).stdout) as { branch: string }[];
    const trigger = (env: Record<string, string>) =>
      acme(
        [
          "trigger",
          "greet",
          '{"name":"Ada"}',
          "--wait",
          "--env",
          "preview",
          "--project-ref",
          server.projectRef,
        ],
        env,
      );
    const deployed = async (...args: string[]) => {
      const result = await acme(["deploy", project, ...args]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
      return result.stdout;
    };

    // The project has no preview environment before.
    write("From preview");
    expect(await deployed("--env", "preview")).toContain("deployed to preview: 1 task");
    write("From the branch");
    expect(await deployed("--env", "preview", "--branch", branch)).toContain(
      "deployed to branch feat/search of preview: 1 task",
    );
    expect(await branches()).toMatchObject([{ branch, archivedAt: null }]);
    expect((await trigger(onBranch)).stdout.trim()).toBe('"From the branch, Ada"');
    expect((await trigger({ ACME_SECRET_KEY: "" })).stdout.trim()).toBe('"From preview, Ada"');
    const refused = await acme(["deploy", project, "--branch", branch]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("add --env preview") });
    const unknown = await trigger({ ...onBranch, ACME_PREVIEW_BRANCH: "other" });
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no branch "other". Create it'),
    });

    expect(await acme(["branches", "archive", branch, ...of])).toMatchObject({ code: 0 });
    expect([await branches(), await branches("--all")]).toMatchObject([[], [{ branch }]]);
    const archived = await trigger(onBranch);
    expect(archived).toMatchObject({ code: 1, stderr: expect.stringContaining("was archived") });
    // A deployment takes it into use again.
    await deployed("--env", "preview", "--branch", branch);
    expect((await trigger(onBranch)).stdout.trim()).toBe('"From the branch, Ada"');
  });

  it("uploads nothing with --dry-run", async () => {
    write("Hello");
    const result = await acme(["deploy", project, "--dry-run"], { ACME_API_URL: "", ACME_ACCESS_TOKEN: "" });
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).toContain("1 task would be deployed");
  });

  it.each<[string, string[], Record<string, string>, RegExp]>([
    [
      "a wrong token",
      [],
      { ACME_ACCESS_TOKEN: "tr_pat_wrong" },
      /access token is invalid or revoked.*\(401\)/,
    ],
    [
      "a missing token",
      [],
      { ACME_ACCESS_TOKEN: "" },
      /You are not logged in at .*acme login.*ACME_ACCESS_TOKEN/,
    ],
    [
      "another project",
      ["-p", "proj_elsewhere"],
      {},
      /no environment "proj_elsewhere\/prod" that this token may use.*\(404\)/,
    ],
    [
      "an environment that doesn't exist",
      ["--env", "production"],
      {},
      /no environment "production": --env is one of dev, staging, preview, prod/,
    ],
    [
      "an address that isn't one",
      [],
      { ACME_API_URL: "nonsense" },
      /"nonsense" is not the address of a server/,
    ],
  ])("explains %s, and deploys nothing", async (_, args, env, message) => {
    write("Hello");
    const result = await acme(["deploy", project, ...args], env);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.stdout).not.toContain("Version");
  });

  it("explains a server that can't be reached", async () => {
    write("Hello");
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const result = await acme(["deploy", project], { ACME_API_URL: `http://127.0.0.1:${port}` });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(
      /could not be reached \(.*ECONNREFUSED.*\)\. Check that the server is running/,
    );
  });

  it("explains an unknown task and a payload that is not JSON", async () => {
    expect(await acme(["trigger", "greet", "{name}"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("not JSON"),
    });
    const unknown = await acme(["runs", "get", "run_nope"]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).not.toMatch(/\n\s+at /);
  });

  it("says which server the token is valid for", async () => {
    const { stdout } = await acme(["whoami", "-p", server.projectRef]);
    expect(stdout).toContain(server.apiUrl);
    expect(stdout).toContain(server.projectRef);
    expect(stdout).not.toContain(server.accessToken);
  });
});
