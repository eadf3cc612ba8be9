import type { DequeuedRun, RuntimeToHost } from "@acme/sdk/contract";
import type { ReadyDeployment } from "../deployments.ts";
import type { RuntimeExit, RuntimeHandle, RuntimeSpec } from "../executor/executor.ts";
import type { Resources } from "../resources.ts";

/** A message of a runtime of this type. */
export type Of<T extends RuntimeToHost["type"]> = Extract<RuntimeToHost, { type: T }>;

/** A run as the pool sees it. */
export interface Work {
  readonly run: DequeuedRun;
  /** Called before it is sent. Returns false if it is no longer needed. */
  claim(runtime: Runtime): boolean;
  started(message: Of<"started">): void;
  log(message: Of<"log">): void;
  recorded(message: Of<"telemetry">): void;
  journal(message: Of<"journal">): void;
  waiting(message: Of<"waiting">): void;
  working(): void;
  suspended(message: Of<"suspended">): void;
  /** Called when its process was restored. It resumes where it was saved after it gets a `resume` message. */
  restored(): void;
  /** Called when its process can't be restored, so that it has to be submitted again for a replay. */
  restoreFailed(reason: string): void;
  completed(message: Of<"completed">): void;
  /** Called when the runtime ended without completing it. */
  died(exit: RuntimeExit): void;
  /** Called when its bundle can't be loaded. */
  broken(message: string, stackTrace: string | undefined): void;
  /**
   * Called when the executor could not start a runtime for it. Returns false if that should not be tried
   * again here.
   */
  startFailed(message: string): boolean;
}

/**
 * Runtimes of one deployment, environment and machine, and the runs that wait for one. `Runtimes` keeps its counters.
 */
export interface Lane {
  readonly key: string;
  ready: ReadyDeployment;
  readonly environmentKey: string;
  readonly machine: RuntimeSpec["machine"];
  readonly waiting: { work: Work; since: number }[];
  readonly runtimes: Set<Runtime>;
  /** The one that became idle last is at the end. */
  readonly idle: Runtime[];
  busy: number;
  starting: number;
  /** The usual milliseconds of a run, by task. */
  readonly usualMs: Map<string, number>;
  usedAt: number;
  /** True: the last runtime could not load the bundle, so no spares are started until one can. */
  unloadable: boolean;
}

/**
 * - `starting`: it was started and has not loaded its bundle yet.
 * - `restoring`: it is being restored from a checkpoint.
 * - `idle`: it waits for a run.
 * - `busy`: it has a run.
 * - `saving`: its run is suspended, and it is being saved; it ends by that.
 * - `leaving`: it was asked to exit.
 * - `gone`: it has ended.
 */
export type RuntimeState = "starting" | "restoring" | "idle" | "busy" | "saving" | "leaving" | "gone";

/** One process or container, from its start to its end. `Runtimes.enter` changes its state. */
export class Runtime {
  readonly lane: Lane;
  readonly cost: Resources;
  /** Milliseconds since the epoch: when its process was first started, even if it has been restored since. */
  readonly bornAt: number;
  /** The secret by which it proves itself to its channel. */
  readonly channelToken: string;
  readonly startedAt = performance.now();
  /** The run whose process is restored; null for a new runtime. */
  readonly restoring: Work | null;
  state: RuntimeState;
  handle!: RuntimeHandle;
  work: Work | null = null;
  sentAt = 0;
  idleSince = 0;
  /** Runs that it has finished, or that were suspended in it. */
  runs: number;
  /** True: it has authenticated itself with its token. */
  greeted = false;
  broken: Of<"broken"> | null = null;
  /** When it is killed if it has not ended by then. */
  leaveBy = Number.POSITIVE_INFINITY;

  constructor(
    lane: Lane,
    cost: Resources,
    channelToken: string,
    restored: { work: Work; bornAt: number; runs: number } | null,
  ) {
    this.lane = lane;
    this.cost = cost;
    this.channelToken = channelToken;
    this.bornAt = restored?.bornAt ?? Date.now();
    this.runs = restored?.runs ?? 0;
    this.restoring = restored?.work ?? null;
    this.state = restored ? "restoring" : "starting";
  }

  cancel(runId: string): void {
    this.handle.send({ type: "cancel", runId });
  }

  get canBeSaved(): boolean {
    return this.handle.saving !== undefined;
  }

  kill(): void {
    if (this.state !== "gone") this.handle.kill();
  }
}

/** Returns the options with which a runtime of the lane is started. */
export const specOf = ({ environmentKey, machine, ready }: Lane, id: string): RuntimeSpec => ({
  id,
  environmentKey,
  contentHash: ready.deployment.contentHash,
  bundlePath: ready.bundlePath,
  image: ready.image,
  machine,
  env: ready.deployment.env,
});
