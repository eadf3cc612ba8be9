import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface Started {
  child: ChildProcess;
  /** The match of `ready` in the line that said so. */
  match: RegExpMatchArray;
}

/**
 * Starts a program and waits for the line of its output that matches `ready`.
 * @throws with its output if it ends before that
 */
export function startProcess(
  file: string,
  args: string[],
  options: {
    cwd: string;
    env?: NodeJS.ProcessEnv;
    ready: RegExp;
    /** The child can send messages. */
    ipc?: boolean;
    onLine?(line: string): void;
  },
): Promise<Started> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe", options.ipc ? "ipc" : "ignore"],
  });
  // However the bench ends, nothing that it started is left.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return new Promise((resolve, reject) => {
    let output = "";
    let isReady = false;
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on("line", (line) => {
        if (isReady) return;
        options.onLine?.(line);
        output += `${line}\n`;
        const match = line.match(options.ready);
        if (!match) return;
        isReady = true;
        resolve({ child, match });
      });
    }
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`${file} ended with ${signal ?? `code ${code}`}:\n${output}`)),
    );
  });
}

/** Asks a process to end and waits until it has; kills it after `graceMs`. */
export function endProcess(child: ChildProcess, signal: NodeJS.Signals, graceMs = 30_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const killer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    child.once("exit", () => {
      clearTimeout(killer);
      resolve();
    });
    child.kill(signal);
  });
}

/** Pids of a process's children, from /proc. */
export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && statOf(Number(name))?.[1] === String(pid))
    .map(Number);
}

/** Milliseconds of the kernel's unit of CPU time. */
export const TICK_MS = 10;

/**
 * Milliseconds of CPU time that the processes have used so far; processes that have ended are not counted.
 */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = statOf(pid);
    return fields ? sum + (Number(fields[11]) + Number(fields[12])) * TICK_MS : sum;
  }, 0);
}

/** Returns the fields of /proc/PID/stat from the state on; undefined if there is no such process. */
function statOf(pid: number): string[] | undefined {
  try {
    // The second field is the command in parentheses, which can hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
