import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { buildPackages } from "../../scripts/packages/build.ts";
import { eventually } from "./eventually.ts";

export interface Packed {
  /** The folders that were packed, by workspace. */
  folders: Record<"sdk" | "cli", string>;
  /** Paths in the packages, by workspace. */
  files: Record<"sdk" | "cli", string[]>;
  tarballs: Record<"sdk" | "cli", string>;
}

/**
 * The environment of a user's shell: this Node.js, and no variable that refers to the checkout or a server.
 */
export function userEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) =>
      !/^(ACME|TRIGGER|npm|NODE|VITEST|TEST)_|^(NODE_ENV|VITEST|TEST|DEV|PROD|MODE|SSR)$/i.test(name),
  );
  const folder = mkdtempSync(join(tmpdir(), "acme-user-"));
  return {
    ...Object.fromEntries(own),
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
    // Not the login of the person who runs the test.
    ACME_CONFIG_DIR: folder,
    NO_COLOR: "1",
  };
}

/** Builds the public packages and packs them, as they would be published. */
export async function packAll(folder: string): Promise<Packed> {
  const folders = await buildPackages(join(folder, "built"));
  const sdk = pack(folders.sdk, folder);
  const cli = pack(folders.cli, folder);
  return {
    folders,
    files: { sdk: sdk.files, cli: cli.files },
    tarballs: { sdk: sdk.tarball, cli: cli.tarball },
  };
}

function pack(folder: string, destination: string): { tarball: string; files: string[] } {
  const output = execFileSync("npm", ["pack", folder, "--json", "--pack-destination", destination], {
    encoding: "utf8",
    env: userEnvironment(),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const parsed = JSON.parse(output) as Record<string, PackReport> | PackReport[];
  const [report] = Object.values(parsed);
  if (!report) throw new Error(`npm pack said ${output}`);
  return {
    tarball: join(destination, report.filename),
    files: report.files.map(({ path }) => path),
  };
}

interface PackReport {
  filename: string;
  files: { path: string }[];
}

/** Returns a tarball of the same package under another version, for an upgrade. */
export function packAs(folder: string, version: string, destination: string): string {
  const copy = mkdtempSync(join(destination, "as-"));
  cpSync(folder, copy, { recursive: true });
  const path = join(copy, "package.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as object;
  writeFileSync(path, JSON.stringify({ ...manifest, version }));
  return pack(copy, destination).tarball;
}

/** Runs a program of a project to its end. Rejects with its output unless it exits with 0. */
export function run(cwd: string, file: string, args: string[], env = userEnvironment()): Promise<string> {
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0
        ? resolve(stdout)
        : reject(new Error(`${file} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`)),
    );
  });
}

export interface Started {
  lines: string[];
  /** Resolves with the first matching line, starting with number `from`. */
  line(fits: (line: string) => boolean, from?: number): Promise<string>;
  /** Interrupts the program as Ctrl-C does. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts a program of a project that runs until it is stopped. `isGroup`: what it starts is interrupted with it, as a terminal does,
 * because it may be a package manager that starts the program.
 */
export function start(
  cwd: string,
  file: string,
  args: string[],
  env = userEnvironment(),
  isGroup = false,
): Started {
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: isGroup });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => lines.push(line));
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  let ended: number | null | undefined;
  void exited.then((code) => {
    ended = code;
  });
  return {
    lines,
    line: (fits, from = 0) =>
      eventually(`${args.join(" ")} printed a line`, () => {
        const found = lines.slice(from).find(fits);
        if (!found && ended !== undefined)
          throw new Error(`${args.join(" ")} ended with ${ended}:\n${lines.join("\n")}`);
        return found;
      }),
    stop() {
      if (ended === undefined && child.pid !== undefined)
        process.kill(isGroup ? -child.pid : child.pid, "SIGINT");
      return exited;
    },
  };
}

/** Creates a folder outside the checkout with the packages installed. Returns its path. */
export async function installInto(folder: string, packages: string[]): Promise<string> {
  mkdirSync(folder, { recursive: true });
  await run(folder, "npm", ["init", "-y"]);
  await run(folder, "npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", ...packages]);
  return folder;
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });
