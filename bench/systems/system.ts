/** A system under measurement, running on this machine with a no-op task and one of ten steps deployed. */
export interface System {
  readonly name: string;
  /** How it makes what it acknowledged durable, in words. */
  readonly durability: string;
  /** A queue without durable execution: only some metrics are measured. */
  readonly isQueue?: boolean;
  /** Processes that serve requests and write: what `strace` counts the flushes of. */
  serverPids(): number[];
  /** Processes that execute the tasks. */
  workerPids(): number[];
  /** One trigger; resolves when it is acknowledged, with a handle. */
  trigger(payload: Payload): Promise<string>;
  /** Triggers a run and resolves when its outcome is known to the caller. `steps`: of ten durable steps. */
  runToEnd(payload: Payload, task?: "noop" | "steps"): Promise<void>;
  /** Resolves when these runs, the last of many to start, have finished as the system itself sees it. */
  untilFinished(handles: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export interface Payload {
  i: number;
  /** Socket that receives a message when the task function starts. */
  marks?: string;
}
