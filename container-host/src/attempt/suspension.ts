import {
  type CheckpointRef,
  type CompletedOperation,
  DEFAULTS,
  RUNTIME_ENV,
  type RunSuspension,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import type { Of } from "../pool/runtime.ts";
import type { AttemptState } from "./attempt-state.ts";
import type { AttemptsOptions } from "./attempts.ts";
import type { OperationResults } from "./operation-results.ts";
import { WaitWatch } from "./wait-watch.ts";

const MAX_REASON = 500;

type SuspensionOptions = Pick<AttemptsOptions, "pool" | "reporter" | "saver">;

/** How a suspension ends the attempt. */
interface SuspensionEvents {
  /** This host is done with the run. `free`: its runtime, if it has one, can be used for other runs. */
  over(outcome: "suspended" | "canceled", runtime: "kill" | "free"): void;
  /** The lease has ended. */
  lost(): void;
  release(reason: string): void;
}

/**
 * Suspends a run that only waits: its runtime is asked whether it still only waits (`freezing`), the server
 * records the suspension (`suspending`), and only then its process is saved, because that may take long, or
 * fail. If the runtime or the server answers so, the run continues in its process (`running`).
 */
export class Suspension {
  readonly #state: AttemptState;
  readonly #results: OperationResults;
  readonly #options: SuspensionOptions;
  readonly #events: SuspensionEvents;
  readonly #waits = new WaitWatch();

  constructor(
    state: AttemptState,
    results: OperationResults,
    options: SuspensionOptions,
    events: SuspensionEvents,
  ) {
    this.#state = state;
    this.#results = results;
    this.#options = options;
    this.#events = events;
  }

  waiting({ waits }: Of<"waiting">): void {
    if (this.#state.isOver || this.#state.stop) return;
    const { suspendAfterMs = DEFAULTS.suspendAfterMs } = this.#state.ready?.deployment.manifest ?? {};
    const now = performance.now();
    this.#waits.waits(waits, suspendAfterMs, now);
    this.sweep(now);
  }

  working(): void {
    const { phase } = this.#state;
    this.#waits.works();
    if (phase.name === "freezing") this.#state.enter({ name: "running", runtime: phase.runtime });
  }

  sweep(now: number): void {
    if (this.#waits.isDue(now)) this.#freeze();
  }

  /** Suspends it if it only waits, even for a short time. */
  now(): void {
    if (this.#waits.onlyWaits) this.#freeze();
  }

  /** The runtime has suspended the run in memory. */
  suspended({ reusable = false, usageMs, waits }: Of<"suspended">): void {
    const { phase, run, clock, stop } = this.#state;
    if (phase.name !== "freezing" || stop) return;
    const { runtime, saves } = phase;
    const { runId, token } = run;
    const { reporter, saver } = this.#options;
    const suspension: RunSuspension = { runId, token, waits, usageMs };
    let checkpoint: CheckpointRef | null = null;
    if (saver && saves) {
      checkpoint = saver.reserve();
      runtime.handle.saving?.detach();
      suspension.checkpoint = checkpoint;
    } else if (saver && runtime.canBeSaved) {
      // The run's timeline says why its process is not saved.
      suspension.checkpointError = saver.problem?.slice(0, MAX_REASON);
    }
    clock.stop(performance.now());
    this.#state.enter({ name: "suspending", runtime, checkpoint, reusable });
    reporter.suspended(suspension);
  }

  /** Handles the server's answer. */
  answered(answer: SuspensionVerdict): void {
    if (this.#state.phase.name !== "suspending") return;
    switch (answer.verdict) {
      case "suspended":
        this.recorded();
        return;
      case "canceled":
        this.#forget("canceled");
        return;
      case "stale":
        this.#events.lost();
        return;
      case "resume":
        this.#continue(answer.completed);
        return;
      default:
    }
  }

  /** The server has recorded the suspension, so the process is saved now. */
  recorded(): void {
    const { phase, run } = this.#state;
    if (phase.name !== "suspending") return;
    const { checkpoint, runtime } = phase;
    const { saver } = this.#options;
    if (!checkpoint || !saver) {
      this.#forget("suspended");
      return;
    }
    if (runtime) saver.save(checkpoint, run.runId, runtime);
    else saver.failed(checkpoint, "it ended while the run was being suspended");
    this.#events.over("suspended", "free");
  }

  /** The runtime ended. Returns false unless the run was suspended in it. */
  died(): boolean {
    const { phase } = this.#state;
    if (phase.name !== "suspending") return false;
    // The server knows everything that the run did and waits for.
    this.#state.enter({ ...phase, runtime: null });
    return true;
  }

  #freeze(): void {
    const { phase, run, stop } = this.#state;
    if (phase.name !== "running" || stop) return;
    const { runtime } = phase;
    const saves = runtime.canBeSaved && this.#options.saver?.problem === undefined;
    this.#state.enter({ name: "freezing", runtime, saves });
    runtime.handle.send({ type: "suspend", runId: run.runId, checkpoint: saves });
  }

  /** Nothing of the run stays here, and the server knows that. */
  #forget(outcome: "suspended" | "canceled"): void {
    const { phase, run } = this.#state;
    if (phase.name !== "suspending") return;
    const { reusable, runtime } = phase;
    if (runtime && reusable) this.#options.pool.forget(runtime, run.runId);
    this.#events.over(outcome, reusable ? "free" : "kill");
  }

  /**
   * An operation that the run waits for has a result, so the run continues in its process under the same
   * lease.
   */
  #continue(completed: CompletedOperation[]): void {
    const { phase, run, clock, apiToken } = this.#state;
    if (phase.name !== "suspending") return;
    const { checkpoint, runtime } = phase;
    const { runId, token } = run;
    const now = performance.now();
    if (completed.length === 0) this.#waits.noNews(now);
    if (!runtime) {
      this.#events.release("its process ended while it was being suspended");
      return;
    }
    this.#state.enter({ name: "running", runtime });
    clock.run(now);
    if (checkpoint) runtime.handle.saving?.attach();
    this.#results.send(completed);
    const env = apiToken ? { [RUNTIME_ENV.secretKey]: apiToken } : undefined;
    runtime.handle.send({ type: "resume", runId, token, env });
  }
}
