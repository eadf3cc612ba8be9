import { type ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import type { AttemptOutcome, DequeuedRun, LogEntry } from "../../src/contract/host-protocol.ts";
import { type HostToRuntime, RuntimeToHost } from "../../src/contract/runtime-protocol.ts";

type Message = RuntimeToHost;
type Of<T extends Message["type"]> = Extract<
  Message,
  {
    type: T;
  }
>;
/** A run as the platform hands it out. */
export declare const runOf: (taskId: string, payload?: unknown, more?: Partial<DequeuedRun>) => DequeuedRun;
/** A real runtime process and the host's end of its channel. */
export declare class RuntimeProcess {
  #private;
  readonly messages: Message[];
  /** Called with each message before anybody who waits for it. */
  onMessage: (message: Message) => void;
  readonly child: ChildProcess;
  output: string;
  readonly exited: Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
  }>;
  constructor(options: {
    bundle: string;
    env?: Record<string, string>;
    entry?: string;
    nodeArguments?: string[];
    /** `unix:PATH`; the test connects the socket with `attach`. */
    channel?: string;
  });
  attach(channel: Duplex): void;
  send(message: HostToRuntime): void;
  close(): void;
  /** Resolves as soon as `find` gives something; rejects when the process is gone without. */
  until<T>(find: () => T | undefined | false): Promise<T>;
  message<T extends Message["type"]>(type: T, runId?: string): Promise<Of<T>>;
  execute(run: DequeuedRun): Promise<Of<"completed">>;
  outcome(run: DequeuedRun): Promise<AttemptOutcome>;
  /** What a run that has to succeed returned, decoded from JSON. */
  result(run: DequeuedRun): Promise<unknown>;
  logs(runId: string): LogEntry[];
}
