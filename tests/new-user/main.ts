/**
 * `npm run new-user [-- npm pnpm yarn bun]`: what a new user does first, with each package manager from npm,
 * in an empty folder outside the checkout, with the packages that would be published. Prints how long each
 * step took, and exits with 1 if one fails. Runs are executed in containers where a Docker Engine answers.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT } from "../support/local-server.ts";
import { type NpmRegistry, npmrcOf, startNpmRegistry } from "../support/npm-registry.ts";
import { packAll, removeFolder, run, type Started, start, userEnvironment } from "../support/packages.ts";
import { withDocker } from "../support/with-docker.ts";

/** `once`: runs a package's command without installing it; `script`: runs a script of package.json; `own`: an installed command. */
interface Manager {
  /** The package that has it; undefined: it comes with Node.js. */
  from?: string;
  once: string[];
  script: string[];
  own: string[];
}

const MANAGERS: Record<string, Manager> = {
  npm: { once: ["npx", "--yes"], script: ["npm", "run"], own: ["npx"] },
  pnpm: { from: "pnpm@12.21.0", once: ["pnpm", "dlx"], script: ["pnpm"], own: ["pnpm", "exec"] },
  // Yarn 1 can run only installed packages.
  yarn: { from: "yarn@1.22.22", once: ["npx", "--yes"], script: ["yarn", "-s"], own: ["yarn", "-s", "run"] },
  bun: { from: "bun@1.4.5", once: ["bunx"], script: ["bun", "run"], own: ["bun", "x"] },
};

const wanted = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(MANAGERS);
const unknown = wanted.filter((name) => !MANAGERS[name]);
if (unknown.length > 0)
  throw new Error(`Not one of ${Object.keys(MANAGERS).join(", ")}: ${unknown.join(", ")}`);

const folder = mkdtempSync(join(tmpdir(), "acme-new-user-"));
const inDocker = withDocker();
const rows = new Map<string, Map<string, string>>();
const packed = await packAll(folder);
const registry = await startNpmRegistry(
  (["sdk", "cli"] as const).map((name) => ({ folder: packed.folders[name], tarball: packed.tarballs[name] })),
);

/**
 * Returns a folder with the manager's commands, which is installed from npm once. Managers have up to 100 MB.
 */
function commandsOf({ from }: Manager): string[] {
  if (!from) return [];
  const prefix = join(ROOT, "node_modules/.cache/managers", from);
  const bin = join(prefix, "node_modules/.bin");
  if (!existsSync(bin)) {
    mkdirSync(prefix, { recursive: true });
    writeFileSync(join(prefix, "package.json"), '{ "private": true }\n');
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--no-save", from], {
      cwd: prefix,
      stdio: "ignore",
    });
  }
  return [bin];
}

async function walk(name: string, manager: Manager, { url }: NpmRegistry): Promise<void> {
  const project = join(folder, `${name}-project`);
  const home = join(folder, `${name}-home`);
  for (const each of [project, home]) mkdirSync(each);
  const own = userEnvironment();
  const env: NodeJS.ProcessEnv = {
    ...own,
    PATH: [...commandsOf(manager), own.PATH].join(delimiter),
    // Where the network inspects TLS, npm reaches its registry only with the machine's certificates.
    ...(process.env.NODE_EXTRA_CA_CERTS ? { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS } : {}),
    // Use neither the settings of this machine's user nor caches of earlier packages of the same version.
    HOME: home,
    XDG_CACHE_HOME: join(home, ".cache"),
    XDG_DATA_HOME: join(home, ".local/share"),
    npm_config_cache: join(home, ".npm"),
    BUN_INSTALL_CACHE_DIR: join(home, ".bun"),
    YARN_CACHE_FOLDER: join(home, ".yarn"),
  };
  // Nothing else in the folder says that it is Yarn's.
  if (name === "yarn") writeFileSync(join(project, "package.json"), '{ "packageManager": "yarn@1.22.22" }\n');
  writeFileSync(join(home, ".npmrc"), npmrcOf({ url } as NpmRegistry));
  writeFileSync(join(project, ".npmrc"), npmrcOf({ url } as NpmRegistry));
  const call = (
    [file = "", ...args]: string[],
    ...more: string[]
  ): [string, string, string[], NodeJS.ProcessEnv] => [project, file, [...args, ...more], env];
  const timed = async <T>(what: string, step: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const result = await step();
    const seconds = `${((performance.now() - begun) / 1000).toFixed(2)} s`;
    console.log(`${name.padEnd(5)} ${what.padEnd(44)} ${seconds.padStart(8)}`);
    rows.set(what, (rows.get(what) ?? new Map<string, string>()).set(name, seconds));
    return result;
  };
  const started: Started[] = [];
  const begin = (...[cwd, file, args, env]: ReturnType<typeof call>): Started => {
    const program = start(cwd, file, args, env, true);
    started.push(program);
    return program;
  };
  try {
    const up = begin(...call(manager.once, "@acme/cli", "up", "--port", "0"));
    await timed("acme up, with its installation", () =>
      up.line((line) => line.startsWith("Acme is running at")),
    );
    const said = await timed("acme init --yes, with the installation", () =>
      run(...call(manager.once, "@acme/cli", "init", "--yes")),
    );
    assert.match(said, new RegExp(`${manager.script.filter((word) => word !== "-s").join(" ")} acme:dev`));
    const dev = begin(...call(manager.script, "acme:dev"));
    const registered = /● \d{8}\.\d+ {2}1 task/;
    await timed("acme dev: tasks registered", () => dev.line((line) => registered.test(line)));
    const trigger = async (...args: string[]): Promise<unknown> =>
      JSON.parse(
        await run(
          ...call(manager.own, "acme", "trigger", "hello-world", '{"name":"you"}', "--wait", ...args),
        ),
      );
    assert.deepEqual(
      await timed("acme trigger --env dev --wait (1 s of wait)", () => trigger("--env", "dev")),
      {
        message: "Hello, you!",
      },
    );
    const seen = dev.lines.length;
    const task = join(project, "src/trigger/hello-world.ts");
    await timed("save → registered again", async () => {
      writeFileSync(task, readFileSync(task, "utf8").replace("Hello", "Goodbye"));
      await dev.line((line) => registered.test(line), seen);
    });
    assert.deepEqual(await trigger("--env", "dev"), { message: "Goodbye, you!" });
    const deployed = await timed("acme deploy", () => run(...call(manager.script, "acme:deploy")));
    assert.match(
      deployed,
      /Version \d{8}\.1 of proj_default deployed to prod: 1 task .* now the current one/,
    );
    assert.deepEqual(await timed("acme trigger --wait, the first in production", () => trigger()), {
      message: "Goodbye, you!",
    });
    assert.deepEqual(await timed("acme trigger --wait, the second", () => trigger()), {
      message: "Goodbye, you!",
    });
    assert.ok(up.lines.some((line) => line.includes(`"executor":"${inDocker ? "docker" : "process"}"`)));
    await timed("Ctrl-C in acme dev", () => dev.stop());
    await timed("Ctrl-C in acme up", () => up.stop());
  } catch (error) {
    for (const { lines } of started) console.error(lines.slice(-15).join("\n"));
    throw error;
  } finally {
    for (const program of started) await program.stop();
  }
}

let failures = 0;
try {
  for (const name of wanted) {
    await walk(name, MANAGERS[name] as Manager, registry).catch((error: unknown) => {
      failures++;
      console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
} finally {
  await registry.stop();
  removeFolder(folder);
}
console.log(`\n${"".padEnd(44)} ${wanted.map((name) => name.padStart(9)).join("")}`);
for (const [what, times] of rows)
  console.log(
    `${what.padEnd(44)} ${wanted.map((name) => (times.get(name) ?? "failed").padStart(9)).join("")}`,
  );
console.log(`Runs in production ${inDocker ? "in containers" : "in processes"}.`);
process.exit(failures > 0 ? 1 : 0);
