import type { DequeuedRun, RuntimeToHost } from "@acme/sdk/contract";
import type { ReadyDeployment } from "../deployments.ts";
import type { RuntimeExit, RuntimeHandle, RuntimeSpec } from "../executor/executor.ts";
import type { Resources } from "../resources.ts";

/** A message of a runtime of this type. */
export type Of<T extends RuntimeToHost["type"]> = Extract<RuntimeToHost, { type: T }>;

/** What a runtime runs. */
export interface Work {
  readonly run: DequeuedRun;
  /** It is about to be sent. False: it is not wanted any more. */
  claim(runtime: Runtime): boolean;
  started(message: Of<"started">): void;
  log(message: Of<"log">): void;
  recorded(message: Of<"telemetry">): void;
  journal(message: Of<"journal">): void;
  waiting(message: Of<"waiting">): void;
  working(): void;
  suspended(message: Of<"suspended">): void;
  /** Its process was restored. It resumes where it was saved once it gets a `resume` message. */
  restored(): void;
  /** Its process can't be restored, so it has to be submitted again, to be replayed. */
  restoreFailed(reason: string): void;
  completed(message: Of<"completed">): void;
  /** The runtime ended without completing it. */
  died(exit: RuntimeExit): void;
  /** Its bundle can't be loaded. */
  broken(message: string, stackTrace: string | undefined): void;
  /** The executor could not start a runtime for it. False: it should not be tried again here. */
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
  /** By task: milliseconds that a run usually takes. */
  readonly usualMs: Map<string, number>;
  usedAt: number;
  /** The last runtime could not load the bundle: no spares until one can. */
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
  /** Milliseconds since the epoch: when its process was first started, also where it was restored since. */
  readonly bornAt: number;
  /** The secret by which it proves itself to its channel. */
  readonly channelToken: string;
  readonly startedAt = performance.now();
  /** Null in a new runtime; the run whose process is restored. */
  readonly restoring: Work | null;
  state: RuntimeState;
  handle!: RuntimeHandle;
  work: Work | null = null;
  sentAt = 0;
  idleSince = 0;
  /** Runs that it has finished, or that were suspended in it. */
  runs: number;
  /** It has proved itself. */
  greeted = false;
  broken: Of<"broken"> | null = null;
  /** When it is killed unless it has ended. */
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

/** What a runtime of the lane is started with. */
export const specOf = ({ environmentKey, machine, ready }: Lane, id: string): RuntimeSpec => ({
  id,
  environmentKey,
  contentHash: ready.deployment.contentHash,
  bundlePath: ready.bundlePath,
  image: ready.image,
  machine,
  env: ready.deployment.env,
});
