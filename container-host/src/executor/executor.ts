import type { HostImage, HostToRuntime, MachinePreset } from "@acme/sdk/contract";
import type { Resources } from "../resources.ts";

/** A runtime that was saved, with what it was started with. */
export interface SavedRuntime {
  spec: Omit<RuntimeSpec, "bundlePath">;
  image: string;
  channelToken: string;
  /** The folder that `save` wrote. */
  folder: string;
  /** Size of its files. */
  bytes: number;
}

export interface RuntimeCheckpoints {
  /** Machines of the same kind can restore each other's runtimes. */
  readonly kind: string;
  /** The image that new runtimes are started from. */
  readonly image: string;
  /**
   * Like `start`; the restored runtime connects to its channel. If that hangs, `startError` of its exit is a
   * HangError.
   */
  restore(saved: SavedRuntime, bundlePath: string, events: RuntimeEvents): RuntimeHandle;
  /**
   * Saves and restores an idle runtime, to find out whether that works on this machine.
   * @throws HangError where it passed its deadline, Error where it failed
   */
  selfTest(): Promise<{ saveMs: number; restoreMs: number }>;
  /**
   * Gives up all saves, restorations and self-tests in progress and allows no more, because the host stops.
   */
  stop(): void;
}

/** The options with which a runtime is started. */
export interface RuntimeSpec {
  /** Unique on this host. */
  id: string;
  environmentKey: string;
  contentHash: string;
  /** On this machine. */
  bundlePath: string;
  /** Id of the deployment's own image; absent: the executor's. */
  image?: string;
  machine: MachinePreset;
  /** Variables of the environment. */
  env: Record<string, string>;
}

/** How a runtime ended. */
export interface RuntimeExit {
  code: number | null;
  signal: string | null;
  /** True: the machine's or the container's memory limit ended it. */
  oomKilled: boolean;
  /** The end of its standard output and error. */
  output: string;
  /** Set if the executor could not start it. */
  startError?: Error;
}

export interface RuntimeEvents {
  /** A line of the channel, not validated. */
  onLine(line: string): void;
  /** The channel's stream ended or violated the protocol; the runtime's end follows. */
  onChannelError(reason: string): void;
  /** Called once, after everything it sent was handed over. */
  onExit(exit: RuntimeExit): void;
}

/** How a frozen runtime is saved. */
export interface RuntimeSaving {
  /** Closes the channel, because a process that is connected to anything can't be saved. What is sent meanwhile waits. */
  detach(): void;
  /** Opens the channel again; the runtime connects to it. */
  attach(): void;
  /**
   * Writes the process into `folder` and ends it; `onExit` follows. The channel has to be detached.
   * @throws HangError if it missed its deadline, Error if it failed; the runtime has to be killed then
   */
  save(folder: string): Promise<void>;
}

/** One started process or container. */
export interface RuntimeHandle {
  send(message: HostToRuntime): void;
  /** Absent: the runtime can't be saved. */
  readonly saving?: RuntimeSaving;
  /** Kills it with all of its child processes. `onExit` follows. */
  kill(): void;
}

/** The environment in which runtimes run. */
export interface Executor {
  readonly name: "process" | "docker";
  /** The address at which runtimes reach the server. */
  readonly apiUrl: string;
  /** The resources that all runtimes together may take. */
  readonly capacity: Resources;
  /** The part of the capacity that a runtime of this preset takes. */
  cost(machine: MachinePreset): Resources;
  /** Roughly the milliseconds of a cold start, which decide whether waiting for a warm runtime is better. */
  readonly startMs: number;
  /** Starts a runtime. Failures are reported by `onExit`. */
  start(spec: RuntimeSpec, channelToken: string, events: RuntimeEvents): RuntimeHandle;
  /** Absent: it can't save runtimes. */
  readonly checkpoints?: RuntimeCheckpoints;
  /**
   * Makes sure that a deployment's image is on this machine, and returns its id. Absent: the executor can't
   * use images.
   * @throws HostError if the image can't be used here, Error if it can't be fetched now
   */
  ensureImage?(image: HostImage): Promise<string>;
  /** Ends the runtimes that an earlier process of this host left behind. Returns their number. */
  cleanUp(): Promise<number>;
  /** @throws Error if it can't start runtimes now */
  probe(): Promise<void>;
  close(): Promise<void>;
}
