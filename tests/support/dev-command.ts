import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./eventually.ts";
import { ROOT } from "./local-server.ts";

/** An event of `acme dev --json`. */
export interface DevLine {
  type: string;
  state?: string;
  runId?: string;
  version?: string;
  environment?: string;
  message?: string;
  tasks?: string[];
  isOpen?: boolean;
  entries?: { message: string }[];
}

export interface DevCommand {
  readonly lines: DevLine[];
  /** Its output on standard error. */
  readonly errors: string[];
  /** Resolves with the first matching event, starting with number `from`. */
  line(what: string, fits: (line: DevLine) => boolean, from?: number): Promise<DevLine>;
  /** Sends a signal. Resolves with the exit code; null: the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  readonly exited: Promise<number | null>;
}

/** Starts `acme dev` in a folder. */
export function startDev(
  folder: string,
  access: { apiUrl: string; secretKey?: string; accessToken?: string },
  args: string[] = [],
): DevCommand {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(ROOT, "cli/src/main.ts"), "dev", "--json", ...args],
    {
      cwd: folder,
      env: {
        ...process.env,
        ACME_API_URL: access.apiUrl,
        ACME_SECRET_KEY: access.secretKey,
        ACME_ACCESS_TOKEN: access.accessToken,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const lines: DevLine[] = [];
  const errors: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(JSON.parse(line) as DevLine));
  createInterface({ input: child.stderr! }).on("line", (line) => errors.push(line));
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return {
    lines,
    errors,
    line: (what, fits, from = 0) =>
      eventually(`acme dev: ${what}; it printed ${errors.join("\n")}`, () => lines.slice(from).find(fits)),
    async end(signal) {
      child.kill(signal);
      return exited;
    },
    exited,
  };
}
