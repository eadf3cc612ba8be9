import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LocalAccess } from "@acme/server";
import { childrenOf } from "./processes.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = join(ROOT, "cli/src/main.ts");

export interface LocalServer extends LocalAccess {
  dataDir: string;
  /** Everything that the server has printed so far. */
  output(): string;
  /** Pids of the processes that are running now. */
  pids(): { server: number; worker: number; host: number };
  /** Child processes of the host: with the process executor, those that execute tasks. */
  taskPids(): number[];
  kill(part: "server" | "worker" | "host", signal: NodeJS.Signals): void;
  /** Stops it as Ctrl-C does and removes its data; resolves with the exit code. */
  stop(options?: { keepData?: boolean }): Promise<number>;
}

export interface LocalServerOptions {
  /** Default `process`. */
  executor?: "docker" | "process" | "auto";
  /** Default: a new one, which `stop` removes. */
  dataDir?: string;
  /** Deploys and runs examples/hello-world before it is ready. Default true. */
  example?: boolean;
  env?: Record<string, string>;
  /** Written to the settings file of the data folder. */
  settings?: Record<string, string>;
  /** Address of a ClickHouse. */
  clickhouse?: string;
  /** Default: any free one. */
  port?: number;
  /** Processes of workerd that share the environments. Default: ACME_TEST_PROCESSES, or 1. */
  processes?: number;
}

/** Starts the real server on a free port with its own data folder, and waits until it is ready. */
export async function startLocalServer(options: LocalServerOptions = {}): Promise<LocalServer> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "acme-server-"));
  const settings = Object.entries(options.settings ?? {}).map(([name, value]) => `${name}='${value}'\n`);
  if (settings.length > 0) writeFileSync(join(dataDir, "settings.env"), settings.join(""));
  const processes = options.processes ?? process.env.ACME_TEST_PROCESSES;
  const child = spawn(
    process.execPath,
    [
      CLI,
      "server",
      "--port",
      String(options.port ?? 0),
      "--data",
      dataDir,
      "--executor",
      options.executor ?? "process",
      ...(processes ? ["--processes", String(processes)] : []),
      ...(options.clickhouse ? ["--clickhouse", options.clickhouse] : []),
      ...(options.example === false ? [] : ["--example"]),
    ],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        LOG_FORMAT: "pretty",
        // Commands of the person who runs the tests must not find this server.
        ACME_CONFIG_DIR: join(dataDir, "config"),
        ...options.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const lines: string[] = [];
  await ready(child, lines);
  const access = JSON.parse(readFileSync(join(dataDir, "local.json"), "utf8")) as LocalAccess;
  const pids = (): { server: number; worker: number; host: number } =>
    JSON.parse(readFileSync(join(dataDir, "pids.json"), "utf8"));
  return {
    ...access,
    dataDir,
    output: () => lines.join("\n"),
    pids,
    taskPids: () => childrenOf(pids().host),
    kill: (part, signal) => void process.kill(pids()[part], signal),
    async stop({ keepData = false } = {}) {
      const code = await ended(child);
      if (!keepData) rmSync(dataDir, { recursive: true, force: true });
      return code;
    },
  };
}

function ready(child: ChildProcess, lines: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream! }).on("line", (line) => {
        lines.push(line);
        if (line.startsWith("Acme is running at ")) resolve();
        if (line.startsWith("The example failed")) reject(new Error(lines.join("\n")));
      });
    }
    child.once("exit", (code) =>
      reject(new Error(`The server ended with code ${code}:\n${lines.join("\n")}`)),
    );
  });
}

function ended(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode ?? -1);
  return new Promise((resolve) => {
    child.once("exit", (code) => resolve(code ?? -1));
    child.kill("SIGINT");
  });
}
