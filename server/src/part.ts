import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type Command, dieWithParent } from "@acme/container-host/die-with-parent";
import { countCrash, restartDelay } from "./backoff.ts";
import { messageOf } from "./errors.ts";
import type { ListeningSocket } from "./shards/listening-socket.ts";

export interface PartSpec {
  /** Its name in the server's output. */
  name: string;
  command: Command;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /**
   * A text that the program reads from descriptor SECRET_FD, because other processes of its user could read
   * its environment.
   */
  secret?: string;
  /** Opens a socket for the program, before each start, which it inherits as descriptor LISTEN_FD. */
  listen?(): Promise<ListeningSocket>;
  /** Called before each start. */
  beforeStart?(): void;
  /** Milliseconds between SIGTERM and SIGKILL when it is stopped. */
  graceMs: number;
  /** A line it printed. */
  onLine(line: string): void;
  /** The program runs with this pid. */
  onStart(pid: number): void;
  /**
   * The program ended without having been stopped. It is restarted after `restartInMs`; null: it is not
   * restarted.
   */
  onCrash(how: string, restartInMs: number | null): void;
}

export interface Part {
  /** The program's pid; undefined while it does not run. */
  readonly pid: number | undefined;
  start(): void;
  /** From now on it is restarted when it crashes, with a growing delay. */
  keepAlive(): void;
  /** Resolves at its next end, with how it ended. */
  ended(): Promise<string>;
  /** Asks it to end, kills it after the grace period, resolves when it is gone. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Returns the last lines of its output. */
  recentOutput(): string;
}

/** The program's descriptor for `secret`. */
export const SECRET_FD = 5;
/** The program's descriptor of the socket that it listens on. */
export const LISTEN_FD = 6;
const KEPT_LINES = 30;
const LAST_OUTPUT_MS = 500;

/** One supervised child process, which never outlives this one. */
export function createPart(spec: PartSpec): Part {
  let child: ChildProcess | undefined;
  let pid: number | undefined;
  let startedAt = 0;
  let crashes = 0;
  let restarting = false;
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  const output: string[] = [];
  let announceEnd: (how: string) => void = () => {};
  let nextEnd = new Promise<string>((resolve) => (announceEnd = resolve));

  const print = (line: string): void => {
    output.push(line);
    if (output.length > KEPT_LINES) output.shift();
    spec.onLine(line);
  };

  function start(): void {
    if (!spec.listen) {
      launch();
      return;
    }
    startedAt = Date.now();
    spec.listen().then(
      (socket) => {
        if (!stopping) launch(socket.fd);
        // While this process had a copy, the socket would get connections even after the program's end.
        socket.close();
      },
      (error) => endedWith(`could not be started: ${messageOf(error)}`),
    );
  }

  function launch(socket?: number): void {
    const command = dieWithParent(spec.command);
    try {
      spec.beforeStart?.();
    } catch (error) {
      // Without the secret the program fails, and is started again later.
      print(`could not be prepared: ${messageOf(error)}`);
    }
    startedAt = Date.now();
    const started = spawn(command.file, command.args, {
      cwd: spec.cwd,
      env: spec.env,
      // Its own process group: Ctrl-C in a terminal reaches this process only, which stops the parts in order.
      detached: true,
      stdio: ["pipe", "pipe", "pipe", "pipe", "ignore", "pipe", ...(socket === undefined ? [] : [socket])],
    });
    const pipes: readonly (Readable | Writable | null | undefined)[] = started.stdio;
    const secretPipe = pipes[SECRET_FD] as Writable;
    // The program may have ended without reading it.
    secretPipe.on("error", () => {});
    secretPipe.end(spec.secret ?? "");
    child = started;
    const runs = (found: number): void => {
      pid = found;
      spec.onStart(found);
    };
    if (command.guarded)
      createInterface({ input: started.stdio[3] as Readable }).once("line", (line) => runs(Number(line)));
    else if (started.pid !== undefined) runs(started.pid);
    for (const stream of [started.stdout, started.stderr])
      createInterface({ input: stream! }).on("line", print);
    started.stdin!.on("error", () => {});
    started.once("error", (error) => hasEnded(started, `could not be started: ${error.message}`));
    started.once("exit", (code, signal) => {
      // Its own children are in its process group: a killed program could not stop them.
      if (started.pid !== undefined) signalPid(-started.pid, "SIGKILL");
      const how = signal ? `was killed by ${signal}` : `ended with code ${code}`;
      // Its last output is still in the pipes. A process that left the group may keep them open forever.
      started.once("close", () => hasEnded(started, how));
      setTimeout(() => hasEnded(started, how), LAST_OUTPUT_MS).unref();
    });
  }

  function hasEnded(which: ChildProcess, how: string): void {
    if (child !== which) return;
    child = undefined;
    pid = undefined;
    endedWith(how);
  }

  function endedWith(how: string): void {
    announceEnd(how);
    nextEnd = new Promise((resolve) => (announceEnd = resolve));
    if (stopping) return;
    crashes = countCrash(crashes, Date.now() - startedAt);
    const delay = restarting ? restartDelay(crashes) : null;
    spec.onCrash(how, delay);
    if (delay !== null) timer = setTimeout(start, delay);
  }

  return {
    get pid() {
      return pid;
    },
    start,
    keepAlive() {
      restarting = true;
    },
    ended: () => nextEnd,
    async stop() {
      stopping = true;
      clearTimeout(timer);
      if (!child) return;
      const gone = nextEnd;
      child.kill("SIGTERM");
      const killer = setTimeout(() => {
        if (pid !== undefined) signalPid(pid, "SIGKILL");
        child?.kill("SIGKILL");
      }, spec.graceMs);
      await gone;
      clearTimeout(killer);
    },
    kill(signal) {
      if (pid !== undefined) signalPid(pid, signal);
    },
    recentOutput: () => output.join("\n"),
  };
}

function signalPid(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // The process has ended already, which was the goal.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
