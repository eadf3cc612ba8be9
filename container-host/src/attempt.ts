import {
  type AttemptOutcome,
  type CheckpointRef,
  type CompletedOperation,
  DEFAULTS,
  type DequeuedRun,
  type InternalErrorCode,
  internalError,
  type ResumeMethod,
  RUNTIME_ENV,
  type RunSuspension,
  type RuntimeToHost,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import { ApiError } from "./api.ts";
import type { AttemptsOptions } from "./attempts.ts";
import { backoffMs, sleep } from "./backoff.ts";
import type { ReadyDeployment } from "./deployments.ts";
import { HostError, messageOf } from "./errors.ts";
import type { RuntimeExit } from "./executor/executor.ts";
import { errorOfExit } from "./exit-error.ts";
import type { Runtime, Work } from "./pool/runtime.ts";
import type { ReportedJournal } from "./report-queue.ts";
import { RunClock } from "./run-clock.ts";
import { WaitWatch } from "./wait-watch.ts";

type Of<T extends RuntimeToHost["type"]> = Extract<RuntimeToHost, { type: T }>;
type Result = Pick<CompletedOperation, "number" | "result">;

/**
 * How far an attempt has come. `#enter` is the only place that changes it.
 *
 *     fetching ─▶ queued ─▶ given ─▶ running ─▶ freezing ─▶ suspending ─▶ over
 *                                       ▲          │            │
 *                                       └──────────┴────────────┘
 *
 * An attempt ends (`over`) from each of them: with an outcome, suspended, or because its lease is over.
 */
type Phase =
  /** Its deployment, or its saved process, is being fetched. */
  | { name: "fetching" }
  /** It waits in the pool for a runtime, or for its process to be restored. */
  | { name: "queued" }
  /** A runtime has it and has not begun yet. */
  | { name: "given"; runtime: Runtime }
  | { name: "running"; runtime: Runtime }
  /**
   * It only waits: the runtime was asked to stop, and to answer whether it still only waits. `saves`: its process is to be
   * saved, so the runtime closes its connections.
   */
  | { name: "freezing"; runtime: Runtime; saves: boolean }
  /**
   * The run stands still, and the server's answer to its suspension is awaited. `runtime`: null where its process has ended.
   * `checkpoint`: under this name its process will be saved. `reusable`: the runtime can take other runs instead.
   */
  | { name: "suspending"; runtime: Runtime | null; checkpoint: CheckpointRef | null; reusable: boolean }
  | { name: "over" };

/** Why an attempt was asked to stop: decides what its end means. */
type StopReason =
  /** The run was canceled. */
  | "canceled"
  /** It ran longer than `maxDuration`, and the runtime could not end it. */
  | "timeout";

/** A lease is over this much earlier for the host than for the server, because of the time that messages take. */
const LEASE_MARGIN_MS = 2_000;
/** Starts of runtimes that may fail for one run before the run fails. */
const MAX_START_FAILURES = 5;
const MAX_REASON = 500;
const NO_RESTORES = "this host restores no processes";

interface AttemptEvents {
  ended(attempt: Attempt): void;
  /** Returns how often it happened to this run. */
  startFailed(): number;
}

/** One attempt of a run, or what is left of it after a suspension: from its lease to its outcome or next suspension. */
export class Attempt implements Work {
  readonly run: DequeuedRun;
  readonly #options: AttemptsOptions;
  readonly #events: AttemptEvents;
  /** When the lease of the unstarted run ends. */
  readonly #startBy: number;
  readonly #acceptedAt = performance.now();
  readonly #clock: RunClock;
  readonly #waits = new WaitWatch();
  #phase: Phase = { name: "fetching" };
  #ready: ReadyDeployment | undefined;
  /** The latest token of the lease. */
  #apiToken: string | undefined;
  /** Milliseconds since the epoch: when it began, or was resumed. */
  #startedAt: number | null = null;
  #stop: StopReason | null = null;
  /** When a canceled attempt is killed. */
  #cancelBy = Number.POSITIVE_INFINITY;
  /** What a restored process has to learn: results of operations that were journaled before. */
  readonly #completed: Result[];
  /** Results that came before a runtime had the run. */
  readonly #early: Result[] = [];
  /** What the run is resumed from, until its process was restored. */
  #savedAs: CheckpointRef | null = null;
  /** How the run is resumed; undefined where it begins. */
  #resumed: ResumeMethod | undefined;

  constructor(run: DequeuedRun, options: AttemptsOptions, events: AttemptEvents) {
    this.run = run;
    this.#apiToken = run.apiToken;
    this.#options = options;
    this.#events = events;
    this.#startBy = this.#acceptedAt + run.leaseMs - Math.min(LEASE_MARGIN_MS, run.leaseMs / 10);
    const limitMs = run.maxDuration ? run.maxDuration * 1_000 : Number.POSITIVE_INFINITY;
    this.#clock = new RunClock(limitMs, run.resume?.usedMs ?? 0);
    if (run.resume) this.#resumed = { by: "replay" };
    this.#completed = (run.resume?.journal ?? []).flatMap(({ number, result }) =>
      result ? [{ number, result }] : [],
    );
  }

  /** A runtime has it, or had it. */
  get isSent(): boolean {
    return !["fetching", "queued"].includes(this.#phase.name);
  }

  get #isOver(): boolean {
    return this.#phase.name === "over";
  }

  get #runtime(): Runtime | null {
    return "runtime" in this.#phase ? this.#phase.runtime : null;
  }

  prepare(): void {
    const ready = this.#options.deployments.peek(this.run.deployment.id, this.#apiToken);
    if (ready) this.#fetched(ready);
    else void this.#load();
  }

  cancel(): void {
    if (this.#isOver || this.#stop) return;
    this.#stop = "canceled";
    const { name } = this.#phase;
    if (name === "fetching" || name === "queued") {
      // It used no time: no runtime ever had it.
      this.#finish({ type: "canceled" }, 0);
      return;
    }
    if (name === "suspending") {
      this.#finish({ type: "canceled" });
      return;
    }
    this.#runtime?.cancel(this.run.runId);
    this.#cancelBy = performance.now() + this.#options.cancelGraceMs;
  }

  /** Stops it without a report: the server knows that the lease is over. */
  abandon(): void {
    if (this.#end()) this.#options.observer.ended(this.run, { type: "lost" });
  }

  /** The answer to a report says that the lease is over. A suspension that is being reported has an answer of its own. */
  lost(): void {
    if (this.#phase.name !== "suspending") this.abandon();
  }

  /** This host got the next lease of the run, so its suspension, if that was reported, was recorded. */
  succeeded(): void {
    if (this.#phase.name === "suspending") this.#suspended();
    else this.abandon();
  }

  release(reason: string): void {
    // The server's answer to the cancellation decides; without one the lease ends by itself.
    if (this.#stop === "canceled") this.#finish({ type: "canceled" });
    else this.#finish({ type: "released", reason });
  }

  sweep(now: number): void {
    if (now > this.#cancelBy || now > this.#clock.endsAt + this.#options.timeoutGraceMs) {
      this.#cancelBy = Number.POSITIVE_INFINITY;
      this.#stop ??= "timeout";
      this.#runtime?.kill();
    }
    if (this.#waits.isDue(now)) this.#freeze();
    const { name } = this.#phase;
    // The server is about to give it to others, and a runtime that never began can't be trusted with it.
    if (name === "given" && now > this.#startBy) this.abandon();
    const isLate = now > this.#acceptedAt + this.run.leaseMs / 2;
    if ((name === "fetching" || name === "queued") && isLate)
      this.release("no runtime became free for it in time");
  }

  claim(runtime: Runtime): boolean {
    if (this.#isOver) return false;
    if (performance.now() > this.#startBy) {
      this.abandon();
      return false;
    }
    this.#enter({ name: "given", runtime });
    this.#options.observer.started(this.run);
    return true;
  }

  started(message: Of<"started">): void {
    if (this.#phase.name !== "given") return;
    this.#sendResults(this.#early);
    this.#began(this.#phase.runtime, Math.min(message.at, Date.now()));
  }

  log(message: Of<"log">, size: number): void {
    const { runId, attempt } = this.run;
    if (this.#isOver) return;
    const entries = this.#ready?.redactor.entries(message.entries) ?? message.entries;
    this.#options.logs.add({ runId, attempt, apiToken: this.#apiToken }, entries, size);
    this.#options.observer.logged(this.run, entries);
  }

  journal(message: Of<"journal">): void {
    if (this.#isOver) return;
    const { runId, token, attempt, seq, entries } = message;
    this.#options.reporter.journal({ runId, token, attempt, seq, entries });
  }

  /**
   * The lease was renewed, with the next token for its code. A process that stands still gets it when it resumes.
   */
  renewed(apiToken: string): void {
    this.#apiToken = apiToken;
    const phase = this.#phase;
    if (phase.name === "given" || phase.name === "running")
      phase.runtime.handle.send({ type: "token", runId: this.run.runId, apiToken });
  }

  journaled({ runId, seq }: ReportedJournal): void {
    this.#runtime?.handle.send({ type: "journaled", runId, seq });
  }

  journalRefused(message: string): void {
    this.#fail("TASK_EXECUTOR_FAILED", `The server refused to record an operation: ${message}`, null);
  }

  /** An operation that the run waits for is over. */
  operation({ number, result }: CompletedOperation): void {
    if (this.#runtime) this.#sendResults([{ number, result }]);
    else if (this.#phase.name !== "suspending") this.#early.push({ number, result });
  }

  waiting({ waits }: Of<"waiting">): void {
    if (this.#isOver || this.#stop) return;
    const { suspendAfterMs = DEFAULTS.suspendAfterMs } = this.#ready?.deployment.manifest ?? {};
    const now = performance.now();
    this.#waits.waits(waits, suspendAfterMs, now);
    if (this.#waits.isDue(now)) this.#freeze();
  }

  working(): void {
    this.#waits.works();
    if (this.#phase.name === "freezing") this.#enter({ name: "running", runtime: this.#phase.runtime });
  }

  /** Suspends it if it only waits, however short. */
  suspendNow(): void {
    if (this.#waits.onlyWaits) this.#freeze();
  }

  suspended(message: Of<"suspended">): void {
    if (this.#phase.name !== "freezing" || this.#stop) return;
    const { runtime, saves } = this.#phase;
    const { reusable = false, usageMs, waits } = message;
    const { runId, token } = this.run;
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
    this.#clock.stop(performance.now());
    this.#enter({ name: "suspending", runtime, checkpoint, reusable });
    reporter.suspended(suspension);
  }

  /** The server's answer to the suspension. */
  suspensionAnswered(answer: SuspensionVerdict): void {
    if (this.#phase.name !== "suspending") return;
    switch (answer.verdict) {
      case "suspended":
        this.#suspended();
        return;
      case "canceled":
        this.#forget("canceled");
        return;
      case "stale":
        this.abandon();
        return;
      case "resume":
        this.#continue(answer.completed);
        return;
      default:
    }
  }

  restored(): void {
    if (this.#phase.name !== "given") return;
    const { runtime } = this.#phase;
    const { runId, token } = this.run;
    this.#began(runtime, Date.now());
    this.#sendResults([...this.#completed, ...this.#early]);
    const env = {
      [RUNTIME_ENV.apiUrl]: this.#options.apiUrl,
      [RUNTIME_ENV.secretKey]: this.#apiToken ?? "",
    };
    runtime.handle.send({ type: "resume", runId, token, env });
    this.#discardSaved();
  }

  restoreFailed(reason: string): void {
    if (!this.#ready || (this.#phase.name !== "fetching" && this.#phase.name !== "queued")) return;
    this.#options.log.warn(
      `The process of ${this.run.runId} can't be restored, so the run is replayed: ${reason}`,
    );
    this.#discardSaved();
    this.#resumed = { by: "replay", reason: reason.slice(0, MAX_REASON) };
    this.#submit(this.#ready);
  }

  completed(message: Of<"completed">): void {
    if (message.outcome.type === "canceled" && this.#stop !== "canceled") {
      const error = internalError(
        "TASK_RUN_CANCELLED",
        "The runtime stopped the run without having been asked to",
      );
      this.#finish({ type: "failure", error, retry: null }, undefined, "free");
    } else this.#finish(message.outcome, message.usageMs, "free");
  }

  died(exit: RuntimeExit): void {
    if (this.#phase.name === "suspending") {
      // The run stood still: what it waits for, and all that it did, is known.
      this.#enter({ ...this.#phase, runtime: null });
      return;
    }
    if (this.#stop === "canceled") this.#finish({ type: "canceled" });
    else if (this.#stop === "timeout") {
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
    if (this.#isOver) return false;
    if (this.#events.startFailed() < MAX_START_FAILURES) return true;
    this.#fail("TASK_EXECUTOR_FAILED", `The runtime could not be started: ${message}`);
    return false;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
  }

  async #load(): Promise<void> {
    const { deployment } = this.run;
    for (let failures = 1; !this.#isOver; failures++) {
      let ready: ReadyDeployment;
      try {
        ready = await this.#options.deployments.load(deployment.id, this.#apiToken);
      } catch (error) {
        if (error instanceof HostError || (error instanceof ApiError && error.isFinal)) {
          this.#fail(
            "TASK_EXECUTOR_FAILED",
            `Version ${deployment.version} can't be fetched: ${messageOf(error)}`,
          );
          return;
        }
        if (failures === 1)
          this.#options.log.warn(`Version ${deployment.version} can't be fetched yet: ${messageOf(error)}`);
        await sleep(backoffMs(failures));
        continue;
      }
      if (!this.#isOver) this.#fetched(ready);
      return;
    }
  }

  #fetched(ready: ReadyDeployment): void {
    this.#ready = ready;
    const checkpoint = this.run.resume?.checkpoint;
    if (checkpoint) void this.#restore(ready, checkpoint);
    else this.#submit(ready);
  }

  #submit(ready: ReadyDeployment): void {
    this.#enter({ name: "queued" });
    this.#options.pool.submit(this, ready);
  }

  async #restore(ready: ReadyDeployment, checkpoint: CheckpointRef): Promise<void> {
    const { pool, saver } = this.#options;
    this.#resumed = { by: "checkpoint" };
    // A checkpoint is handed out once: what can't be restored here never will be, so it is deleted.
    this.#savedAs = checkpoint;
    const saved = saver ? await saver.find(checkpoint, this.run.runId) : NO_RESTORES;
    if (this.#phase.name !== "fetching") return;
    if (!saver || typeof saved === "string") {
      this.restoreFailed(String(saved));
      return;
    }
    this.#enter({ name: "queued" });
    pool.restore(this, ready, saved, saver.memoryOf(checkpoint));
  }

  #began(runtime: Runtime, at: number): void {
    this.#enter({ name: "running", runtime });
    this.#startedAt = at;
    this.#clock.run(performance.now());
    const { runId, token } = this.run;
    this.#options.reporter.started({ runId, token, startedAt: Math.round(at), resumed: this.#resumed });
  }

  #freeze(): void {
    if (this.#phase.name !== "running" || this.#stop) return;
    const { runtime } = this.#phase;
    const saves = runtime.canBeSaved && this.#options.saver?.problem === undefined;
    this.#enter({ name: "freezing", runtime, saves });
    runtime.handle.send({ type: "suspend", runId: this.run.runId, checkpoint: saves });
  }

  #sendResults(results: Result[]): void {
    const { runId } = this.run;
    for (const { number, result } of results)
      this.#runtime?.handle.send({ type: "operation", runId, number, result });
  }

  /** The suspension is recorded. Only now the process is saved: that may take long, or fail, and the run waits for neither. */
  #suspended(): void {
    if (this.#phase.name !== "suspending") return;
    const { checkpoint, runtime } = this.#phase;
    const { saver } = this.#options;
    if (!checkpoint || !saver) {
      this.#forget("suspended");
      return;
    }
    if (runtime) saver.save(checkpoint, this.run.runId, runtime);
    else saver.failed(checkpoint, "it ended while the run was being suspended");
    if (this.#end("free")) this.#options.observer.ended(this.run, { type: "suspended" });
  }

  /** Nothing of the run stays here; the server knows. */
  #forget(outcome: "suspended" | "canceled"): void {
    if (this.#phase.name !== "suspending") return;
    const { reusable, runtime } = this.#phase;
    if (runtime && reusable) this.#options.pool.forget(runtime, this.run.runId);
    if (this.#end(reusable ? "free" : "kill")) this.#options.observer.ended(this.run, { type: outcome });
  }

  /** Something that the run waits for is over: it continues in its process, under the same lease. */
  #continue(completed: CompletedOperation[]): void {
    if (this.#phase.name !== "suspending") return;
    const { checkpoint, runtime } = this.#phase;
    const { runId, token } = this.run;
    const now = performance.now();
    if (completed.length === 0) this.#waits.noNews(now);
    if (!runtime) {
      this.release("its process ended while it was being suspended");
      return;
    }
    this.#enter({ name: "running", runtime });
    this.#clock.run(now);
    if (checkpoint) runtime.handle.saving?.attach();
    this.#sendResults(completed);
    const env = this.#apiToken ? { [RUNTIME_ENV.secretKey]: this.#apiToken } : undefined;
    runtime.handle.send({ type: "resume", runId, token, env });
  }

  #discardSaved(): void {
    if (this.#savedAs) this.#options.saver?.discard(this.#savedAs);
    this.#savedAs = null;
  }

  #fail(code: InternalErrorCode, message: string, retry?: null): void {
    this.#finish({ type: "failure", error: internalError(code, message), retry });
  }

  #finish(result: AttemptOutcome, usageMs?: number, runtime: "kill" | "free" = "kill"): void {
    if (!this.#end(runtime)) return;
    const { runId, token } = this.run;
    const outcome = this.#ready?.redactor.outcome(result) ?? result;
    const startedAt = this.#startedAt === null ? undefined : Math.round(this.#startedAt);
    this.#options.reporter.completed({ runId, token, startedAt, completedAt: Date.now(), outcome, usageMs });
    this.#options.observer.ended(this.run, outcome);
  }

  /** Returns false where it was over before. `free`: its runtime, if it has one, is used for something else. */
  #end(runtime: "kill" | "free" = "kill"): boolean {
    if (this.#isOver) return false;
    if (this.#phase.name === "queued") this.#options.pool.withdraw(this);
    if (runtime === "kill") this.#runtime?.kill();
    this.#enter({ name: "over" });
    this.#discardSaved();
    this.#events.ended(this);
    return true;
  }
}
