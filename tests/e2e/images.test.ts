import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiClientConfiguration, auth, runs, tasks } from "@acme/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acmeCommand, type CommandResult, credentialsOf } from "../support/acme-command.ts";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { withDocker } from "../support/with-docker.ts";

/** A build installs packages from Debian and npm. */
const BUILD_MS = 300_000;

let registry: Registry;
let server: LocalServer;
let client: ApiClientConfiguration;
let project: string;

const docker = (...args: string[]): string[] =>
  execFileSync("docker", args, { encoding: "utf8" }).split("\n").filter(Boolean);
const imagesOfProject = (): string[] => [
  ...new Set(docker("images", "-q", "--no-trunc", "--filter", `label=acme.project=${server.projectRef}`)),
];
/** Removes the images, so that the machine is as if it never had them. */
function forgetImages(): void {
  const ids = imagesOfProject();
  if (ids.length > 0) docker("image", "rm", "--force", ...ids);
}

const acme = (args: string[], env: Record<string, string>): Promise<CommandResult> =>
  acmeCommand(server, args, {
    env: {
      ...credentialsOf(server),
      TEST_PROJECT_REF: server.projectRef,
      DOCKER_CONFIG: registry.dockerConfig,
      ...env,
    },
  });

/** `args`: in addition to those of every deployment in these tests. */
const deploy = (args: string[] = [], env: Record<string, string> = {}): Promise<CommandResult> =>
  acme(["deploy", project, "--base-image", "acme-base:bookworm", "--network", "host", ...args], env);

const run = (): Promise<unknown> =>
  auth.withAuth(client, async () => {
    const { id } = await tasks.trigger("inside", {});
    const ended = await runs.poll(id, { pollIntervalMs: 250 });
    expect(ended).toMatchObject({ status: "COMPLETED" });
    return ended.output;
  });

const INSIDE = {
  program: expect.stringContaining("< moo >"),
  addon: 96_778_814,
  file: "A file of the project.",
  variable: "by the extension",
  greeting: "from a plugin",
};

describe.skipIf(!withDocker())("a deployment that needs more than its code", () => {
  beforeAll(async () => {
    execFileSync("sh", [join(ROOT, "cli/base-image.sh")], { stdio: "inherit" });
    registry = await startRegistry({ auth: true });
    server = await startLocalServer({
      executor: "docker",
      example: false,
      env: { DOCKER_CONFIG: registry.dockerConfig },
    });
    client = { baseURL: server.apiUrl, accessToken: server.secretKey };
    project = mkdtempSync(join(tmpdir(), "acme-images-"));
    cpSync(join(ROOT, "tests/e2e/image-project"), project, { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(project, "node_modules"));
  }, BUILD_MS);
  afterAll(async () => {
    await server?.stop();
    if (server) forgetImages();
    await registry?.stop();
    if (project) rmSync(project, { recursive: true, force: true });
  });

  it(
    "goes through a registry that wants a login, to a host that did not build it",
    async () => {
      const result = await deploy(["--push", `${registry.address}/team`]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
      expect(result.stdout).toContain("Debian packages cowsay; npm packages @node-rs/crc32; 1 file");
      expect(result.stdout).toMatch(/Version \S+ of \S+ deployed to prod: 1 task .*now the current one/);
      forgetImages();
      expect(await run()).toEqual({ ...INSIDE, version: "first" });
      expect(imagesOfProject()).toHaveLength(1);
    },
    BUILD_MS,
  );

  it(
    "is neither built nor pushed again when nothing has changed",
    async () => {
      const again = await deploy(["--push", `${registry.address}/team`]);
      expect(again, again.stderr).toMatchObject({ code: 0 });
      expect(again.stdout).toContain("(unchanged)");
      expect(again.stderr).not.toContain("Step ");
    },
    BUILD_MS,
  );

  it(
    "is refused where the registry refuses it, with what to do; the version is FAILED and has the build's log",
    async () => {
      const refused = await deploy(["--push", `${registry.address}/team`], {
        DOCKER_CONFIG: mkdtempSync(join(tmpdir(), "acme-no-login-")),
      });
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain("docker login");
      const headers = { authorization: `Bearer ${server.secretKey}` };
      const ask = async (path: string) => (await fetch(`${server.apiUrl}${path}`, { headers })).json();
      const { data } = await ask("/api/v1/deployments?status=FAILED");
      expect(data).toHaveLength(1);
      const log = await ask(`/api/v1/deployments/${data[0].id}/build-log`);
      expect(JSON.stringify(log)).toContain("docker login");
      // The previous version is still the current one.
      expect(await run()).toEqual({ ...INSIDE, version: "first" });
    },
    BUILD_MS,
  );

  it(
    "stays on the Engine without --push",
    async () => {
      writeFileSync(
        join(project, "src/trigger/second.ts"),
        'import { task } from "@acme/sdk";\nexport const second = task({ id: "second", run: async () => 2 });\n',
      );
      const result = await deploy();
      expect(result, result.stderr).toMatchObject({ code: 0 });
      expect(await run()).toEqual({ ...INSIDE, version: "first" });
    },
    BUILD_MS,
  );

  it("says why its build failed, and where a program is missing", async () => {
    const failed = await deploy(["--base-image", "acme-base:none"]);
    expect(failed.code).not.toBe(0);
    expect(failed.stderr).toMatch(/base image acme-base:none can't be pulled/);
    const unreachable = await deploy([], { DOCKER_HOST: "unix:///nowhere/docker.sock" });
    expect(unreachable.code).not.toBe(0);
    expect(unreachable.stderr).toContain("Start Docker, or set DOCKER_HOST");
  });

  it("is not needed to see what would be deployed", async () => {
    const dry = await deploy(["--dry-run"], { DOCKER_HOST: "unix:///nowhere/docker.sock" });
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.stdout).toContain("with an image: Debian packages cowsay");
  });
});
