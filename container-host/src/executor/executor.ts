import type { HostImage, HostToRuntime, MachinePreset } from "@acme/sdk/contract";
import type { Resources } from "../resources.ts";

/** A runtime that was saved, with what it was started with. */
export interface SavedRuntime {
  spec: Omit<RuntimeSpec, "bundlePath">;
  image: string;
  channelToken: string;
  /** What `save` wrote. */
  folder: string;
  /** Size of its files. */
  bytes: number;
}

export interface RuntimeCheckpoints {
  /** Machines with the same can restore each other's runtimes. */
  readonly kind: string;
  /** The image that new runtimes are started from. */
  readonly image: string;
  /** As `start`; the restored runtime connects to its channel. Where that hangs, `startError` of its exit is a HangError. */
  restore(saved: SavedRuntime, bundlePath: string, events: RuntimeEvents): RuntimeHandle;
  /**
   * Saves and restores an idle runtime, to find out whether that works on this machine.
   * @throws HangError where it passed its deadline, Error where it failed
   */
  selfTest(): Promise<{ saveMs: number; restoreMs: number }>;
  /** The host stops: gives up every save, restoration and self-test that is in progress, and allows no more. */
  stop(): void;
}

/** What a runtime is started with. */
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
  /** The machine's or the container's memory limit ended it. */
  oomKilled: boolean;
  /** The last it wrote to standard output and error. */
  output: string;
  /** The executor could not start it. */
  startError?: Error;
}

export interface RuntimeEvents {
  /** A line of the channel, as it came: not validated. */
  onLine(line: string): void;
  /** The channel's stream ended or broke a rule; the runtime's end follows. */
  onChannelError(reason: string): void;
  /** Once, after everything it sent was handed over. */
  onExit(exit: RuntimeExit): void;
}

/** How a runtime that stands still is saved. */
export interface RuntimeSaving {
  /** Closes the channel, because a process that is connected to anything can't be saved. What is sent meanwhile waits. */
  detach(): void;
  /** Opens the channel again; the runtime connects to it. */
  attach(): void;
  /**
   * Writes the process into `folder` and ends it; `onExit` follows. The channel has to be detached.
   * @throws HangError where it passed its deadline, Error where it failed; the runtime has to be killed then
   */
  save(folder: string): Promise<void>;
}

/** One started process or container. */
export interface RuntimeHandle {
  send(message: HostToRuntime): void;
  /** Absent: the runtime can't be saved. */
  readonly saving?: RuntimeSaving;
  /** Ends it at once, with all that it started. `onExit` follows. */
  kill(): void;
}

/** Where runtimes run. */
export interface Executor {
  readonly name: "process" | "docker";
  /** The server as runtimes reach it. */
  readonly apiUrl: string;
  /** The resources that all runtimes together may take. */
  readonly capacity: Resources;
  /** The part of it that a runtime of this preset takes. */
  cost(machine: MachinePreset): Resources;
  /** Roughly how many milliseconds a cold start takes: decides whether waiting for a warm runtime is better. */
  readonly startMs: number;
  /** Starts a runtime. Failures are reported by `onExit`. */
  start(spec: RuntimeSpec, channelToken: string, events: RuntimeEvents): RuntimeHandle;
  /** Absent: it can't save runtimes. */
  readonly checkpoints?: RuntimeCheckpoints;
  /**
   * Returns the id of a deployment's image, which is on this machine then. Absent: it can't use images.
   * @throws HostError where the image can't be used here, Error where it can't be had now
   */
  ensureImage?(image: HostImage): Promise<string>;
  /** Ends the runtimes that an earlier process of this host left behind. Returns how many. */
  cleanUp(): Promise<number>;
  /** @throws Error when it can start nothing now */
  probe(): Promise<void>;
  close(): Promise<void>;
}
