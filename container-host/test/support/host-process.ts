import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { HOST_TOKEN } from "./scripted-server.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface HostProcess {
  child: ChildProcess;
  /** Its standard output. */
  lines: string[];
  /** Its standard error. */
  errors(): string;
  /** The parsed ready line; rejects when it ends without one. */
  ready: Promise<{ ready: true; hostId: string; executor: string; metricsUrl: string | null; pid: number }>;
  exited: Promise<{ code: number | null; signal: string | null }>;
}

/** Starts the host as a separate program. Killed after the test. */
export function hostProcess(options: {
  apiUrl: string;
  dataDir: string;
  args?: string[];
  env?: Record<string, string>;
}): HostProcess {
  const child = spawn(process.execPath, [MAIN, "--data", options.dataDir, ...(options.args ?? [])], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ACME_API_URL: options.apiUrl,
      ACME_HOST_TOKEN: HOST_TOKEN,
      LOG_FORMAT: "pretty",
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  const lines: string[] = [];
  const ready = new Promise<Awaited<HostProcess["ready"]>>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      lines.push(line);
      if (lines.length === 1) resolve(JSON.parse(line));
    });
    void exited.then(({ code }) => reject(new Error(`The host ended with ${code}:\n${text}`)));
  });
  ready.catch(() => {});
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  return { child, lines, errors: () => text, ready, exited };
}
