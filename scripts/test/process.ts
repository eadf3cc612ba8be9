import { spawn } from "node:child_process";

export interface ProcessOptions {
  file: string;
  args: string[];
  /** Its working directory. */
  root: string;
  /** Milliseconds after which the process and everything it started is killed. */
  deadlineMs: number;
  /** Where the output goes: to this terminal as it comes, or into `output`. */
  output: "terminal" | "collect";
}

export interface EndedProcess {
  /** Null: a signal ended it, or it could not be started. */
  code: number | null;
  exceededDeadline: boolean;
  /** What it printed; empty when it printed to the terminal. */
  output: string;
}

/** Pids of the processes that run now, each the leader of a group. */
const groups = new Set<number>();

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has ended already.
  }
}

/** Groups of their own receive no signal from the terminal, so whatever ends this process ends them. */
function killAllWithThisProcess(): void {
  const interrupted = (): void => {
    for (const pid of groups) killGroup(pid);
    process.exit(130);
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
}

let isWatching = false;

/**
 * Runs a process in a group of its own, so that it is killed together with all that it started: when it exceeds its deadline,
 * when this process is interrupted, and when it ends and left something behind. Never throws and never hangs.
 */
export async function runProcess({
  file,
  args,
  root,
  deadlineMs,
  output,
}: ProcessOptions): Promise<EndedProcess> {
  if (!isWatching) killAllWithThisProcess();
  isWatching = true;
  const child = spawn(file, args, {
    cwd: root,
    detached: true,
    stdio: output === "terminal" ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
  });
  const { pid } = child;
  if (pid !== undefined) groups.add(pid);
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
  let exceededDeadline = false;
  const deadline = setTimeout(() => {
    exceededDeadline = true;
    if (pid !== undefined) killGroup(pid);
  }, deadlineMs);
  const code = await new Promise<number | null>((resolve) => {
    child.on("error", (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      resolve(null);
    });
    // "exit", not "close": a server that outlives its tests keeps their output open.
    child.on("exit", (status) => resolve(status));
  });
  clearTimeout(deadline);
  // Tests stop what they start. What a failed one left behind ends here.
  if (pid !== undefined) {
    killGroup(pid);
    groups.delete(pid);
  }
  return { code, exceededDeadline, output: Buffer.concat(chunks).toString() };
}
