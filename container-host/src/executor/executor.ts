import type { HostToRuntime, MachinePreset } from "@acme/sdk/contract";
import type { Resources } from "../resources.ts";

/** What a runtime is started with. */
export interface RuntimeSpec {
  /** Unique on this host. */
  id: string;
  environmentKey: string;
  contentHash: string;
  /** On this machine. */
  bundlePath: string;
  machine: MachinePreset;
  /** Variables of the environment. */
  env: Record<string, string>;
  /** What its tasks call the API with. */
  apiToken: string;
}

/** How a runtime ended. */
export interface RuntimeExit {
  code: number | null;
  signal: string | null;
  /** The machine's or the container's memory limit ended it. */
  oomKilled: boolean;
  /** The last it wrote to standard output and error. */
  output: string;
  /** It never was a process or container of ours: the executor could not start it. */
  startError?: string;
}

export interface RuntimeEvents {
  /** A line of the channel, as it came: not validated. */
  onLine(line: string): void;
  /** The channel's stream ended or broke a rule; the runtime's end follows. */
  onChannelError(reason: string): void;
  /** Once, after everything it sent was handed over. */
  onExit(exit: RuntimeExit): void;
}

/** One started process or container. */
export interface RuntimeHandle {
  send(message: HostToRuntime): void;
  /** Ends it at once, with all that it started. `onExit` follows. */
  kill(): void;
}

/** Where runtimes run. */
export interface Executor {
  readonly name: "process" | "docker";
  /** What all runtimes together may take. */
  readonly capacity: Resources;
  /** What a runtime of this preset takes of it. */
  cost(machine: MachinePreset): Resources;
  /** What a cold start takes, in milliseconds, roughly: decides whether waiting for a warm one is better. */
  readonly startMs: number;
  /** Starts one; every failure is told by `onExit`. */
  start(spec: RuntimeSpec, channelToken: string, events: RuntimeEvents): RuntimeHandle;
  /** Ends what an earlier process of this host left behind. Returns how many. */
  cleanUp(): Promise<number>;
  /** @throws Error when it can start nothing now */
  probe(): Promise<void>;
  close(): Promise<void>;
}
