import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalAccess } from "@acme/server";
import { ROOT } from "./local-server.ts";

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** The contents of its standard input. Default: nothing. */
  input?: string;
  /**
   * Variables in addition to those of this process and the server's address. Default: the server's access
   * token and secret key.
   */
  env?: Record<string, string>;
}

/** Runs a command of the CLI to its end, as a user does, in a folder outside this project. */
export function acmeCommand(
  server: LocalAccess,
  args: string[],
  { env, input = "" }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(ROOT, "cli/bin/acme.mjs"), ...args],
      {
        cwd: tmpdir(),
        maxBuffer: 64 * 1024 * 1024,
        env: { ...process.env, ACME_API_URL: server.apiUrl, ...(env ?? credentialsOf(server)) },
      },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

export const credentialsOf = (server: LocalAccess): Record<string, string> => ({
  ACME_ACCESS_TOKEN: server.accessToken,
  ACME_SECRET_KEY: server.secretKey,
});
