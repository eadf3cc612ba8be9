import type { CheckpointRef, DequeuedRun } from "@acme/sdk/contract";
import type { ReadyDeployment } from "../deployments.ts";
import type { Runtime } from "../pool/runtime.ts";
import { RunClock } from "./run-clock.ts";

/**
 * The state of an attempt. `enter` is the only place that changes it.
 *
 *     fetching ─▶ queued ─▶ given ─▶ running ─▶ freezing ─▶ suspending ─▶ over
 *                                       ▲          │            │
 *                                       └──────────┴────────────┘
 *
 * An attempt ends (`over`) from each of them: with an outcome, suspended, or because its lease is over.
 */
type Phase =
  /** The deployment, or the saved process, is being fetched. */
  | { name: "fetching" }
  /** It waits in the pool for a runtime, or for its process to be restored. */
  | { name: "queued" }
  /** A runtime has it and has not begun yet. */
  | { name: "given"; runtime: Runtime }
  | { name: "running"; runtime: Runtime }
  /**
   * It only waits: the runtime was asked to stop, and to answer whether it still only waits. `saves`: its
   * process should be saved, so the runtime closes its connections.
   */
  | { name: "freezing"; runtime: Runtime; saves: boolean }
  /**
   * The run is suspended in memory, and the server's answer to its suspension is awaited. `runtime`: null where its process
   * has ended. `checkpoint`: under this name its process will be saved. `reusable`: the runtime can take other runs instead.
   */
  | { name: "suspending"; runtime: Runtime | null; checkpoint: CheckpointRef | null; reusable: boolean }
  | { name: "over" };

/** Why an attempt was asked to stop, which decides its outcome. */
type StopReason =
  /** The run was canceled. */
  | "canceled"
  /** It ran longer than `maxDuration`, and the runtime could not end it. */
  | "timeout";

/** The data that the parts of an attempt share: its state, and what it runs with. */
export class AttemptState {
  readonly run: DequeuedRun;
  readonly clock: RunClock;
  /** The latest token of the lease. */
  apiToken: string | undefined;
  /** Set after its deployment has been fetched. */
  ready: ReadyDeployment | undefined;
  stop: StopReason | null = null;
  #phase: Phase = { name: "fetching" };

  constructor(run: DequeuedRun) {
    this.run = run;
    this.apiToken = run.apiToken;
    const limitMs = run.maxDuration ? run.maxDuration * 1_000 : Number.POSITIVE_INFINITY;
    this.clock = new RunClock(limitMs, run.resume?.usedMs ?? 0);
  }

  get phase(): Phase {
    return this.#phase;
  }

  get isOver(): boolean {
    return this.#phase.name === "over";
  }

  /** Returns whether no runtime has it yet. */
  get isUnsent(): boolean {
    return this.#phase.name === "fetching" || this.#phase.name === "queued";
  }

  get runtime(): Runtime | null {
    return "runtime" in this.#phase ? this.#phase.runtime : null;
  }

  enter(phase: Phase): void {
    this.#phase = phase;
  }
}
