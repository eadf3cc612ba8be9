import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import type { HostToRuntime, MachinePreset } from "@acme/sdk/contract";
import { killedWithParent } from "../die-with-parent.ts";
import type { InspectedProcesses } from "../host.ts";
import type { HostFolders } from "../identity.ts";
import { OutputTail } from "../output-tail.ts";
import type { Resources } from "../resources.ts";
import { Channel } from "./channel.ts";
import { memoryBytes, nodeArguments, runtimeEnvironment } from "./environment.ts";
import type { Executor, RuntimeEvents, RuntimeHandle, RuntimeSpec } from "./executor.ts";
import { InspectorLine } from "./inspector-line.ts";
import { killGroup, Leftovers } from "./leftovers.ts";
import { runtimeFile } from "./runtime-file.ts";
import { openTaskUsers, type TaskUsers } from "./task-users.ts";

/** How long descendants outside of its group may keep a process's pipes open after its end. */
const PIPES_MS = 1_000;
/** The variables of the host's own environment that tasks get. They contain no secrets. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];

export interface ProcessExecutorOptions {
  folders: HostFolders;
  apiUrl: string;
  /** The maximum number of processes. */
  slots: number;
  /** True: tasks run as other users than root. */
  separateUsers: boolean;
  /** See HostExtras. */
  taskVariables?: () => Record<string, string>;
  inspected?: InspectedProcesses;
  /** See HostOptions. */
  nodeArguments: string[];
  taskFolder?: string;
}

/**
 * Runs runtimes as child processes of the host, for development and machines without Docker. If the host is
 * root, tasks run as unprivileged users, one for each environment; otherwise as the host's user, whose files
 * they can read.
 * @throws HostError if tasks should run as other users and can't
 */
export async function processExecutor(options: ProcessExecutorOptions): Promise<Executor> {
  const entry = await runtimeFile(options.folders.runtime);
  return new ProcessExecutor(
    options,
    entry,
    options.separateUsers ? openTaskUsers(options.folders.root) : null,
  );
}

class ProcessExecutor implements Executor {
  readonly name = "process";
  readonly startMs = 60;
  readonly apiUrl: string;
  readonly capacity: Resources;
  readonly #options: ProcessExecutorOptions;
  readonly #entry: string;
  readonly #node: string;
  readonly #users: TaskUsers | null;
  readonly #leftovers: Leftovers;
  readonly #base: () => Record<string, string | undefined>;

  constructor(options: ProcessExecutorOptions, entry: string, users: TaskUsers | null) {
    this.#options = options;
    this.apiUrl = options.apiUrl;
    this.#users = users;
    this.#entry = users?.share(entry) ?? entry;
    this.#node = users?.share(process.execPath) ?? process.execPath;
    this.#leftovers = new Leftovers(options.folders.processes);
    this.capacity = { slots: options.slots, cpu: Number.POSITIVE_INFINITY, memory: Number.POSITIVE_INFINITY };
    const own = Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]]));
    this.#base = options.taskVariables ?? (() => own);
  }

  cost(_machine: MachinePreset): Resources {
    return { slots: 1, cpu: 0, memory: 0 };
  }

  start(spec: RuntimeSpec, channelToken: string, events: RuntimeEvents): RuntimeHandle {
    const users = this.#users;
    const node = {
      file: this.#node,
      args: [...nodeArguments(memoryBytes(spec.machine)), ...this.#options.nodeArguments, this.#entry],
    };
    // A task that blocks its thread doesn't notice that its channel has ended.
    const command = killedWithParent(node) ?? node;
    let child: ChildProcess;
    try {
      const user = users?.of(spec.environmentKey);
      const env = runtimeEnvironment(
        spec,
        user ? { ...this.#base(), HOME: user.home, TMPDIR: user.home } : this.#base(),
        {
          channel: "fd:3",
          channelToken,
          bundle: users && user ? users.bundleFor(user, spec.bundlePath) : spec.bundlePath,
          apiUrl: this.#options.apiUrl,
        },
      );
      child = spawn(command.file, command.args, {
        cwd: user?.home ?? this.#options.taskFolder ?? this.#options.folders.work,
        env,
        uid: user?.uid,
        gid: user?.gid,
        stdio: ["ignore", "pipe", "pipe", "pipe"],
        // A separate process group, so that the process ends with all of its children, and Ctrl-C in a
        // terminal reaches only the host.
        detached: true,
      });
    } catch (error) {
      // Some failures are thrown (such as for a variable that is too long); others are emitted as an event.
      const startError = error instanceof Error ? error : new Error(String(error));
      setImmediate(() =>
        events.onExit({ code: null, signal: null, oomKilled: false, output: "", startError }),
      );
      return { send: () => {}, kill: () => {} };
    }
    return new RuntimeProcess(child, this.#leftovers, events, this.#options.inspected);
  }

  async cleanUp(): Promise<number> {
    return this.#leftovers.killAll();
  }

  async probe(): Promise<void> {}

  async close(): Promise<void> {
    this.#users?.close();
  }
}

class RuntimeProcess implements RuntimeHandle {
  readonly #child: ChildProcess;
  readonly #channel: Channel | undefined;
  #exited = false;

  constructor(
    child: ChildProcess,
    leftovers: Leftovers,
    events: RuntimeEvents,
    inspected: InspectedProcesses | undefined,
  ) {
    this.#child = child;
    const { pid } = child;
    if (pid !== undefined) leftovers.add(pid);
    const tail = new OutputTail();
    for (const stream of [child.stdout, child.stderr] as Readable[]) {
      stream?.on("data", (chunk: Buffer) => tail.add(chunk));
      stream?.on("error", () => {});
    }
    if (inspected && pid !== undefined) {
      const line = new InspectorLine((url) => inspected.opened(pid, url));
      child.stderr?.on("data", (chunk: Buffer) => line.add(chunk));
    }
    const duplex = child.stdio[3] as Duplex | null | undefined;
    if (duplex) this.#channel = new Channel(duplex, events);

    let over = false;
    const end = (startError?: Error): void => {
      if (over) return;
      over = true;
      if (pid !== undefined) {
        leftovers.remove(pid);
        inspected?.closed(pid);
      }
      this.#channel?.close();
      events.onExit({
        code: child.exitCode,
        signal: child.signalCode,
        oomKilled: false,
        output: tail.text(),
        startError,
      });
    };
    child.once("error", (error) => {
      // This event is also emitted when a signal could not be sent, which is not an exit.
      if (pid === undefined) end(error);
    });
    child.once("exit", () => {
      this.kill();
      // From here on, the pid may belong to another process.
      this.#exited = true;
      setTimeout(end, PIPES_MS).unref();
    });
    // Emitted after `exit` and the end of all pipes, so all of its output has arrived.
    child.once("close", () => end());
  }

  send(message: HostToRuntime): void {
    this.#channel?.send(message);
  }

  kill(): void {
    if (this.#child.pid !== undefined && !this.#exited) killGroup(this.#child.pid);
  }
}
