import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./local-server.ts";

const run = promisify(execFile);
/** Each has 100 MB, so they are installed here only when these tests run. */
const FOLDER = join(ROOT, "node_modules/.cache/runtimes");
const ARCH = process.arch === "arm64" ? "arm64" : "x64";
const node = (version: string) => ({
  name: `node-linux-${ARCH}`,
  version,
  binary: "bin/node",
  arguments: [] as string[],
});
const PROGRAMS = {
  "Node.js 18": node("18.20.8"),
  "Node.js 20": node("20.20.2"),
  "Node.js 22": node("22.23.3"),
  "Node.js 26": node("26.12.1"),
  Bun: {
    name: `@oven/bun-linux-${ARCH === "arm64" ? "aarch64" : "x64"}`,
    version: "1.4.5",
    binary: "bin/bun",
    arguments: [] as string[],
  },
  Deno: {
    name: `@deno/linux-${ARCH}-glibc`,
    version: "2.9.6",
    binary: "deno",
    arguments: ["run", "--allow-net", "--allow-env", "--allow-read", "--node-modules-dir=manual"],
  },
};

export type Program = keyof typeof PROGRAMS;

/** The runtimes that are installed from npm, and the Node.js that runs this. */
export const RUNTIMES = [
  "Node.js 18",
  "Node.js 20",
  "Node.js 22",
  "Node.js 24",
  "Node.js 26",
  "Bun",
  "Deno",
] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** Returns the path of a runtime's program, which is installed from npm if it is missing. */
async function installed(runtime: Program): Promise<string> {
  const { name, version, binary } = PROGRAMS[runtime];
  const prefix = join(FOLDER, `${runtime.replace(/\W/g, "-")}-${version}`);
  const path = join(prefix, "node_modules", name, binary);
  if (!existsSync(path)) {
    mkdirSync(prefix, { recursive: true });
    writeFileSync(join(prefix, "package.json"), '{ "private": true }\n');
    const options = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts"];
    await run("npm", ["install", ...options, `${name}@${version}`], { cwd: prefix });
  }
  return path;
}

/** Returns the output of a program in a folder. `env`: additional environment variables. */
export async function outputOf(
  runtime: Runtime,
  folder: string,
  file: string,
  env: Record<string, string> = {},
): Promise<string> {
  const options = { cwd: folder, timeout: 60_000, env: { ...process.env, ...env } };
  if (runtime === "Node.js 24") return (await run(process.execPath, [file], options)).stdout;
  const { arguments: args } = PROGRAMS[runtime];
  return (await run(await installed(runtime), [...args, file], options)).stdout;
}

/**
 * Returns workerd's output when it tests a module: one file without imports, whose default export has a
 * function `test`.
 */
export async function outputOfWorkerd(module: string, folder: string): Promise<string> {
  writeFileSync(join(folder, "module.mjs"), module);
  writeFileSync(join(folder, "config.capnp"), WORKERD);
  const workerd = createRequire(import.meta.url).resolve("workerd/bin/workerd");
  const options = { cwd: folder, timeout: 60_000 };
  const { stdout, stderr } = await run(workerd, ["test", "config.capnp"], options);
  return stdout + stderr;
}

/** Puts a built package into a folder's node_modules, with its dependencies, and `more`, from the checkout's. */
export function installBuilt(folder: string, built: string, more: string[]): void {
  const modules = join(folder, "node_modules");
  const { name, dependencies } = JSON.parse(readFileSync(join(built, "package.json"), "utf8")) as {
    name: string;
    dependencies: Record<string, string>;
  };
  cpSync(built, join(modules, name), { recursive: true });
  for (const dependency of [...Object.keys(dependencies), ...more]) {
    const path = join(modules, dependency);
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) symlinkSync(join(ROOT, "node_modules", dependency), path);
  }
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
}

const WORKERD = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
);
const worker :Workerd.Worker = (
  modules = [(name = "module.mjs", esModule = embed "module.mjs")],
  compatibilityDate = "2026-11-02",
);
`;
