import { type DequeuedRun, RuntimeToHost } from "@acme/sdk/contract";
import type { ReadyDeployment } from "./deployments.ts";
import type { RuntimeExit, RuntimeHandle, RuntimeSpec } from "./executor/executor.ts";
import type { Resources } from "./resources.ts";

/** A message of a runtime of this type. */
export type Of<T extends RuntimeToHost["type"]> = Extract<RuntimeToHost, { type: T }>;

/** What a runtime runs. */
export interface Work {
  readonly run: DequeuedRun;
  /** It is about to be sent. False: it is not wanted any more. */
  claim(runtime: Runtime): boolean;
  started(message: Of<"started">): void;
  /** `size`: characters. */
  log(message: Of<"log">, size: number): void;
  journal(message: Of<"journal">): void;
  waiting(message: Of<"waiting">): void;
  working(): void;
  suspended(message: Of<"suspended">): void;
  /** Its process goes on where it was saved, once it is told to. */
  restored(): void;
  /** Its process can't be restored: it is not submitted any more. */
  restoreFailed(reason: string): void;
  completed(message: Of<"completed">): void;
  /** The runtime ended without completing it. */
  died(exit: RuntimeExit): void;
  /** Its bundle can't be loaded. */
  broken(message: string, stackTrace: string | undefined): void;
  /** The executor could not start a runtime for it. False: it should not be tried again here. */
  startFailed(message: string): boolean;
}

/** Runtimes of one deployment, environment and machine, and what waits for one. */
export interface Lane {
  readonly key: string;
  ready: ReadyDeployment;
  readonly environmentKey: string;
  readonly machine: RuntimeSpec["machine"];
  readonly waiting: { work: Work; since: number }[];
  readonly runtimes: Set<Runtime>;
  readonly idle: Runtime[];
  busy: number;
  starting: number;
  /** By task: milliseconds that a run usually takes. */
  readonly usualMs: Map<string, number>;
  usedAt: number;
  /** The last runtime could not load the bundle: no spares until one can. */
  unloadable: boolean;
}

/** One process or container, from its start to its end. */
export class Runtime {
  readonly lane: Lane;
  readonly cost: Resources;
  readonly startedAt = performance.now();
  channelToken = "";
  state: "starting" | "idle" | "busy" | "saving" | "leaving" | "gone" = "starting";
  handle!: RuntimeHandle;
  /** It starts from what was saved of this. */
  restoring: Work | null = null;
  work: Work | null = null;
  sentAt = 0;
  idleSince = 0;
  runs = 0;
  greeted = false;
  broken: Of<"broken"> | null = null;
  leaveBy = Number.POSITIVE_INFINITY;

  constructor(lane: Lane, cost: Resources, bornAt: number) {
    this.lane = lane;
    this.cost = cost;
    this.bornAt = bornAt;
  }

  /** Milliseconds since the epoch: when its process was first started, also where it was restored since. */
  readonly bornAt: number;

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
  machine,
  env: ready.deployment.env,
});

/** It is about this work, and of its lease. */
export const isOf = (work: Work | null, message: { runId: string; token: number }): work is Work =>
  work !== null && work.run.runId === message.runId && work.run.token === message.token;

/** Null: no message of the protocol. Code of a task could write to the channel, so nothing is taken on trust. */
export function parseMessage(line: string): RuntimeToHost | null {
  try {
    const parsed = RuntimeToHost.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
