import { spawn } from "node:child_process";
import { Readable, type Stream } from "node:stream";
import { text } from "node:stream/consumers";

export interface ProcessOptions {
  file: string;
  args: string[];
  /** Its working directory. */
  root: string;
  /** Milliseconds after which the process and everything it started is killed. */
  deadlineMs: number;
  /** Where the output goes: to this terminal as it arrives, or into `output`. */
  output: "terminal" | "collect";
}

export interface EndedProcess {
  /** Null: a signal ended it, or it could not be started. */
  code: number | null;
  exceededDeadline: boolean;
  /** Its output; empty if that went to the terminal. */
  output: string;
  /**
   * Processor time of the process and of the children that it waited for, in seconds. Null if it is not
   * known.
   */
  cpuSeconds: number | null;
}

/** The descriptor to which the shell around a process writes its processor time. */
const TIMES_FD = 3;
/**
 * Runs the program, and writes the time that it and its children used, including processes that were killed.
 */
const TIMED = `"$@" ${TIMES_FD}>&-; code=$?; times >&${TIMES_FD}; exit $code`;

/** Pids of the processes that run now, each the leader of a group. */
const groups = new Set<number>();

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has ended already.
  }
}

/**
 * Separate process groups receive no signals from the terminal, so whatever ends this process also ends them.
 */
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
 * Runs a process in its own group, so that it is killed together with everything that it started: when it
 * exceeds its deadline, when this process is interrupted, and when it ends and leaves something behind. Never
 * throws and never hangs.
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
  const streams = output === "terminal" ? "inherit" : "pipe";
  const child = spawn("/bin/sh", ["-c", TIMED, "sh", file, ...args], {
    cwd: root,
    detached: true,
    stdio: ["ignore", streams, streams, "pipe"],
  });
  const { pid } = child;
  if (pid !== undefined) groups.add(pid);
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const times = textOf(child.stdio[TIMES_FD]);
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
  // Tests stop what they start. What a failed test left behind is killed here.
  if (pid !== undefined) {
    killGroup(pid);
    groups.delete(pid);
  }
  return {
    code,
    exceededDeadline,
    output: Buffer.concat(chunks).toString(),
    cpuSeconds: cpuSecondsOf(await times),
  };
}

async function textOf(stream: Stream | null | undefined): Promise<string> {
  return stream instanceof Readable ? await text(stream).catch(() => "") : "";
}

/** Reads what `times` prints: user and system time of the shell, and on the second line those of its children. */
export function cpuSecondsOf(times: string): number | null {
  const children = times.split("\n")[1]?.match(/^(\d+)m([\d.]+)s (\d+)m([\d.]+)s$/);
  if (!children) return null;
  const [userMinutes, userSeconds, systemMinutes, systemSeconds] = children.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return (userMinutes + systemMinutes) * 60 + userSeconds + systemSeconds;
}
