import {
  type AttemptOutcome,
  type CompletedOperation,
  type DequeuedRun,
  type InternalErrorCode,
  internalError,
  RUNTIME_ENV,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import type { RuntimeExit } from "../executor/executor.ts";
import type { Of, Runtime, Work } from "../pool/runtime.ts";
import type { ReportedJournal } from "../report-queue.ts";
import { AttemptState } from "./attempt-state.ts";
import type { AttemptsOptions } from "./attempts.ts";
import { errorOfExit } from "./exit-error.ts";
import { OperationResults } from "./operation-results.ts";
import { Preparation } from "./preparation.ts";
import { Suspension } from "./suspension.ts";

/** For the host, a lease ends this much earlier than for the server, because messages take time. */
const LEASE_MARGIN_MS = 2_000;
/** The number of runtime starts that may fail for one run before the run fails. */
const MAX_START_FAILURES = 5;

interface AttemptEvents {
  ended(attempt: Attempt): void;
  /** Returns how often it has happened to this run. */
  startFailed(): number;
}

/**
 * One attempt of a run, or what is left of it after a suspension: from its lease to its outcome or next suspension.
 *
 * The parts: `AttemptState` says how far it has come, `Preparation` brings it to a runtime, `Suspension` suspends it,
 * `OperationResults` passes on what it waited for. Ends, deadlines and what its runtime reports are decided here.
 */
export class Attempt implements Work {
  readonly run: DequeuedRun;
  readonly #options: AttemptsOptions;
  readonly #events: AttemptEvents;
  readonly #state: AttemptState;
  readonly #results: OperationResults;
  readonly #preparation: Preparation;
  readonly #suspension: Suspension;
  /** When the lease of the unstarted run ends. */
  readonly #startBy: number;
  readonly #acceptedAt = performance.now();
  /** Milliseconds since the epoch: when it began, or was resumed. */
  #startedAt: number | null = null;
  /** When a canceled attempt is killed. */
  #cancelBy = Number.POSITIVE_INFINITY;

  constructor(run: DequeuedRun, options: AttemptsOptions, events: AttemptEvents) {
    this.run = run;
    this.#options = options;
    this.#events = events;
    this.#startBy = this.#acceptedAt + run.leaseMs - Math.min(LEASE_MARGIN_MS, run.leaseMs / 10);
    this.#state = new AttemptState(run);
    this.#results = new OperationResults(this.#state);
    this.#preparation = new Preparation(this.#state, this, options, (message) =>
      this.#fail("TASK_EXECUTOR_FAILED", message),
    );
    this.#suspension = new Suspension(this.#state, this.#results, options, {
      over: (outcome, runtime) => {
        if (this.#end(runtime)) this.#options.observer.ended(run, { type: outcome });
      },
      lost: () => this.abandon(),
      release: (reason) => this.release(reason),
    });
  }

  /** Returns whether a runtime has it, or had it. */
  get isSent(): boolean {
    return !this.#state.isUnsent;
  }

  prepare(): void {
    this.#preparation.start();
  }

  cancel(): void {
    const state = this.#state;
    if (state.isOver || state.stop) return;
    state.stop = "canceled";
    if (state.isUnsent) {
      // It used no time, because no runtime ever had it.
      this.#finish({ type: "canceled" }, 0);
      return;
    }
    if (state.phase.name === "suspending") {
      this.#finish({ type: "canceled" });
      return;
    }
    state.runtime?.cancel(this.run.runId);
    this.#cancelBy = performance.now() + this.#options.cancelGraceMs;
  }

  /** Stops it without a report, because the server knows that the lease has ended. */
  abandon(): void {
    if (this.#end()) this.#options.observer.ended(this.run, { type: "lost" });
  }

  /**
   * Handles a report's answer that the lease has ended. A suspension that is being reported gets its own
   * answer.
   */
  lost(): void {
    if (this.#state.phase.name !== "suspending") this.abandon();
  }

  /** This host got the next lease of the run, so the reported suspension was recorded. */
  succeeded(): void {
    if (this.#state.phase.name === "suspending") this.#suspension.recorded();
    else this.abandon();
  }

  release(reason: string): void {
    // The server's answer to the cancellation decides; without an answer, the lease expires.
    if (this.#state.stop === "canceled") this.#finish({ type: "canceled" });
    else this.#finish({ type: "released", reason });
  }

  sweep(now: number): void {
    const state = this.#state;
    if (now > this.#cancelBy || now > state.clock.endsAt + this.#options.timeoutGraceMs) {
      this.#cancelBy = Number.POSITIVE_INFINITY;
      state.stop ??= "timeout";
      state.runtime?.kill();
    }
    this.#suspension.sweep(now);
    // The server is about to lease it to another host, and a runtime that never started it can't be trusted
    // with it.
    if (state.phase.name === "given" && now > this.#startBy) this.abandon();
    const isLate = now > this.#acceptedAt + this.run.leaseMs / 2;
    if (state.isUnsent && isLate) this.release("no runtime became free for it in time");
  }

  claim(runtime: Runtime): boolean {
    if (this.#state.isOver) return false;
    if (performance.now() > this.#startBy) {
      this.abandon();
      return false;
    }
    this.#state.enter({ name: "given", runtime });
    this.#options.observer.started(this.run);
    return true;
  }

  started(message: Of<"started">): void {
    const { phase } = this.#state;
    if (phase.name !== "given") return;
    this.#results.sendEarly();
    this.#began(phase.runtime, Math.min(message.at, Date.now()));
  }

  log(message: Of<"log">): void {
    const { runId, attempt } = this.run;
    const { apiToken, isOver, ready } = this.#state;
    if (isOver) return;
    const entries = ready?.redactor.entries(message.entries) ?? message.entries;
    this.#options.telemetry.add({ runId, attempt, apiToken }, { entries });
    this.#options.observer.logged(this.run, entries);
  }

  recorded({ spans, metrics }: Of<"telemetry">): void {
    const { runId, attempt } = this.run;
    const { apiToken, isOver, ready } = this.#state;
    if (isOver) return;
    const redacted = ready?.redactor.records({ spans, metrics }) ?? { spans, metrics };
    this.#options.telemetry.add({ runId, attempt, apiToken }, { entries: [], ...redacted });
  }

  journal(message: Of<"journal">): void {
    if (this.#state.isOver) return;
    const { runId, token, attempt, seq, entries } = message;
    this.#options.reporter.journal({ runId, token, attempt, seq, entries });
  }

  /**
   * The lease was renewed, with the next token for its code. A process that is suspended gets it when it resumes.
   */
  renewed(apiToken: string): void {
    const { phase } = this.#state;
    this.#state.apiToken = apiToken;
    if (phase.name === "given" || phase.name === "running")
      phase.runtime.handle.send({ type: "token", runId: this.run.runId, apiToken });
  }

  journaled({ runId, seq }: ReportedJournal): void {
    this.#state.runtime?.handle.send({ type: "journaled", runId, seq });
  }

  journalRefused(message: string): void {
    this.#fail("TASK_EXECUTOR_FAILED", `The server refused to record an operation: ${message}`, null);
  }

  /** An operation that the run waits for has a result. */
  operation(completed: CompletedOperation): void {
    this.#results.add(completed);
  }

  waiting(message: Of<"waiting">): void {
    this.#suspension.waiting(message);
  }

  working(): void {
    this.#suspension.working();
  }

  /** Suspends it if it only waits, even for a short time. */
  suspendNow(): void {
    this.#suspension.now();
  }

  suspended(message: Of<"suspended">): void {
    this.#suspension.suspended(message);
  }

  /** The server's answer to the suspension. */
  suspensionAnswered(answer: SuspensionVerdict): void {
    this.#suspension.answered(answer);
  }

  restored(): void {
    const { phase, apiToken } = this.#state;
    if (phase.name !== "given") return;
    const { runtime } = phase;
    const { runId, token } = this.run;
    this.#began(runtime, Date.now());
    this.#results.sendToRestored();
    const env = {
      [RUNTIME_ENV.apiUrl]: this.#options.apiUrl,
      [RUNTIME_ENV.secretKey]: apiToken ?? "",
    };
    runtime.handle.send({ type: "resume", runId, token, env });
    this.#preparation.discardSaved();
  }

  restoreFailed(reason: string): void {
    this.#preparation.restoreFailed(reason);
  }

  completed(message: Of<"completed">): void {
    const { phase } = this.#state;
    // The task ended before its start was reported separately.
    if (phase.name === "given" && message.startedAt !== undefined)
      this.#startedAt = Math.min(message.startedAt, Date.now());
    if (message.outcome.type === "canceled" && this.#state.stop !== "canceled") {
      const error = internalError(
        "TASK_RUN_CANCELLED",
        "The runtime stopped the run without having been asked to",
      );
      this.#finish({ type: "failure", error, retry: null }, undefined, "free");
    } else this.#finish(message.outcome, message.usageMs, "free");
  }

  died(exit: RuntimeExit): void {
    if (this.#suspension.died()) return;
    const { stop } = this.#state;
    if (stop === "canceled") this.#finish({ type: "canceled" });
    else if (stop === "timeout") {
      const message = `The run took longer than its maxDuration of ${this.run.maxDuration} s and did not stop when it was asked to, so its process was killed`;
      this.#fail("MAX_DURATION_EXCEEDED", message, null);
    } else this.#finish({ type: "failure", error: errorOfExit(exit, this.run.machine) });
  }

  broken(message: string, stackTrace: string | undefined): void {
    this.#finish({
      type: "failure",
      error: internalError("COULD_NOT_IMPORT_TASK", message, stackTrace),
      retry: null,
    });
  }

  startFailed(message: string): boolean {
    if (this.#state.isOver) return false;
    if (this.#events.startFailed() < MAX_START_FAILURES) return true;
    this.#fail("TASK_EXECUTOR_FAILED", `The runtime could not be started: ${message}`);
    return false;
  }

  #began(runtime: Runtime, at: number): void {
    const { runId, token } = this.run;
    const { resumed } = this.#preparation;
    this.#state.enter({ name: "running", runtime });
    this.#startedAt = at;
    this.#state.clock.run(performance.now());
    this.#options.reporter.started({ runId, token, startedAt: Math.round(at), resumed });
  }

  #fail(code: InternalErrorCode, message: string, retry?: null): void {
    this.#finish({ type: "failure", error: internalError(code, message), retry });
  }

  #finish(result: AttemptOutcome, usageMs?: number, runtime: "kill" | "free" = "kill"): void {
    if (!this.#end(runtime)) return;
    const { runId, token } = this.run;
    const outcome = this.#state.ready?.redactor.outcome(result) ?? result;
    const startedAt = this.#startedAt === null ? undefined : Math.round(this.#startedAt);
    this.#options.reporter.completed({ runId, token, startedAt, completedAt: Date.now(), outcome, usageMs });
    this.#options.observer.ended(this.run, outcome);
  }

  /** Returns false if it had ended before. `free`: its runtime, if it has one, can be used for other runs. */
  #end(runtime: "kill" | "free" = "kill"): boolean {
    const state = this.#state;
    if (state.isOver) return false;
    if (state.phase.name === "queued") this.#options.pool.withdraw(this);
    if (runtime === "kill") state.runtime?.kill();
    state.enter({ name: "over" });
    this.#preparation.discardSaved();
    this.#events.ended(this);
    return true;
  }
}
