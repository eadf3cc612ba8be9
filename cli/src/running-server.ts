import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { configFolder } from "./profiles.ts";

/** Where the server that runs on this machine has its access data. It holds no secret itself. */
const Running = z.object({ localFile: z.string(), pid: z.number().int().positive() });

type Environment = Record<string, string | undefined>;

const fileOf = (env: Environment): string => join(configFolder(env), "server.json");

/** Returns the access file of the server that the user runs on this machine, whatever folder it was started in. */
export function runningServer(env: Environment): string | undefined {
  try {
    const { localFile, pid } = Running.parse(JSON.parse(readFileSync(fileOf(env), "utf8")));
    // Throws if the process has ended: a server that was killed could not remove the file.
    process.kill(pid, 0);
    return localFile;
  } catch {
    return undefined;
  }
}

/**
 * Lets the user's other commands find a server that runs, in every folder. Returns a function that ends this. A folder that can't
 * be written to is no reason not to start a server: commands in the server's own folder find it anyway.
 */
export function announceServer(localFile: string, env: Environment = process.env): () => void {
  try {
    mkdirSync(configFolder(env), { recursive: true, mode: 0o700 });
    writeFileSync(fileOf(env), `${JSON.stringify({ localFile, pid: process.pid })}\n`, { mode: 0o600 });
  } catch {
    return () => {};
  }
  return () => {
    // A server that was started later has replaced it.
    if (runningServer(env) === localFile) rmSync(fileOf(env), { force: true });
  };
}
