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
import type { ReportedJournal } from "./report-queue.ts";
import { type Runtime, specOf, type Work } from "./runtime.ts";
import { suspendInMs } from "./suspend-plan.ts";

type Of<T extends RuntimeToHost["type"]> = Extract<RuntimeToHost, { type: T }>;

/** Why an attempt was told to stop: what its end then means. */
type StopReason =
  /** The run was canceled. */
  | "canceled"
  /** It ran longer than `maxDuration`, and the runtime could not end it. */
  | "timeout";

/** How far the suspension of a run has come. */
type Standstill =
  /** The runtime was asked whether the run only waits. */
  | "asked"
  /** It stands still and is being saved. */
  | "saving"
  /** It stands still, or is saved, and the server was told. */
  | "told";

/** Latency of a lease on its way: the host counts it as over this much earlier. */
const LEASE_MARGIN_MS = 2_000;
/** How long it goes on in memory after a suspension that was answered with nothing to go on with. */
const NO_NEWS_MS = 5_000;
/** Starts of runtimes that may fail for one run before it is failed. */
const MAX_START_FAILURES = 5;
const MAX_REASON = 500;

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
  #ready: ReadyDeployment | undefined;
  #runtime: Runtime | null = null;
  /** Milliseconds since the epoch. */
  #startedAt: number | null = null;
  #stop: StopReason | null = null;
  #killAt = Number.POSITIVE_INFINITY;
  #over = false;
  /** It was handed to a runtime, once. */
  #claimed = false;
  /** It waits in the pool. */
  #isSubmitted = false;
  /** What a process that is restored gets to know. */
  #completed: Pick<CompletedOperation, "number" | "result">[];
  /** Results that came before a runtime had it. */
  readonly #early: Pick<CompletedOperation, "number" | "result">[] = [];
  /** It is not suspended before. */
  #notBefore = 0;
  /** When the run is suspended, as it only waits. */
  #suspendAt = Number.POSITIVE_INFINITY;
  #onlyWaits = false;
  #standstill: Standstill | null = null;
  /** The runtime that stands still takes other runs once this one is forgotten. */
  #reusable = false;
  /** Its process is saved in this. */
  #checkpoint: CheckpointRef | null = null;
  /** How it goes on, where it doesn't begin. */
  #resumed: ResumeMethod | undefined;

  constructor(run: DequeuedRun, options: AttemptsOptions, events: AttemptEvents) {
    this.run = run;
    this.#options = options;
    this.#events = events;
    this.#startBy = this.#acceptedAt + run.leaseMs - Math.min(LEASE_MARGIN_MS, run.leaseMs / 10);
    if (run.resume) this.#resumed = { by: "replay" };
    this.#completed = (run.resume?.journal ?? []).flatMap(({ number, result }) =>
      result ? [{ number, result }] : [],
    );
  }

  /** It is with a runtime, or its process is saved. */
  get isSent(): boolean {
    return this.#runtime !== null || this.#standstill !== null;
  }

  prepare(): void {
    const ready = this.#options.deployments.peek(this.run.deployment.id);
    if (ready) this.#submit(ready);
    else void this.#load();
  }

  cancel(): void {
    if (this.#over || this.#stop) return;
    this.#stop = "canceled";
    if (!this.#runtime || this.#standstill === "told") {
      this.#finish({ type: "canceled" }, this.#claimed ? undefined : 0);
      return;
    }
    // A process that is being saved hears of it if that fails.
    this.#runtime.cancel(this.run.runId);
    this.#killAt = performance.now() + this.#options.cancelGraceMs;
  }

  /** Stops it without a word: whoever holds the lease now reports. */
  abandon(): void {
    // The server may have handed out what it was told of. If it hasn't, it answers that it is of no use when it is asked.
    if (this.#standstill === "told") this.#checkpoint = null;
    if (this.#end()) this.#options.onEnd("lost", undefined);
  }

  /** The lease is over, as the answer to something else than its suspension says: that has an answer of its own. */
  lost(): void {
    if (this.#standstill !== "told") this.abandon();
  }

  /** This host got the next lease of the run: its suspension, if it was told, was recorded. */
  succeeded(): void {
    if (this.#standstill === "told") this.#leave("suspended");
    else this.abandon();
  }

  release(reason: string): void {
    // What the server was told decides; without its answer the lease ends by itself.
    if (this.#stop === "canceled") this.#finish({ type: "canceled" });
    else this.#finish({ type: "released", reason });
  }

  sweep(now: number): void {
    if (now > this.#killAt) {
      this.#killAt = Number.POSITIVE_INFINITY;
      this.#stop ??= "timeout";
      this.#runtime?.kill();
    }
    if (now >= this.#suspendAt) this.#suspend();
    if (this.#startedAt !== null) return;
    if (this.#runtime) {
      // The server is about to give it to others, and a runtime that never began can't be trusted with it.
      if (now > this.#startBy) this.abandon();
    } else if (now > this.#acceptedAt + this.run.leaseMs / 2) {
      this.release("no runtime became free for it in time");
    }
  }

  claim(runtime: Runtime): boolean {
    if (this.#over) return false;
    if (this.#startedAt === null && performance.now() > this.#startBy) {
      this.abandon();
      return false;
    }
    this.#isSubmitted = false;
    this.#runtime = runtime;
    if (!this.#claimed) this.#options.onStart();
    this.#claimed = true;
    return true;
  }

  started(message: Of<"started">): void {
    if (this.#over || this.#startedAt !== null) return;
    this.#sendResults(this.#early);
    this.#began(Math.min(message.at, Date.now()));
  }

  log(message: Of<"log">, size: number): void {
    const { runId, attempt } = this.run;
    if (!this.#over) this.#options.logs.add(runId, attempt, message.entries, size);
  }

  journal(message: Of<"journal">): void {
    if (this.#over) return;
    const { runId, token, attempt, seq, entries } = message;
    this.#options.reporter.journal({ runId, token, attempt, seq, entries });
  }

  journaled({ runId, seq }: ReportedJournal): void {
    this.#runtime?.handle.send({ type: "journaled", runId, seq });
  }

  journalRefused(message: string): void {
    this.#fail("TASK_EXECUTOR_FAILED", `The server refused to record an operation: ${message}`, null);
  }

  /** An operation that it waits for is over. One that comes while it is being saved is part of the suspension's answer. */
  operation({ runId, number, result }: CompletedOperation): void {
    if (this.#standstill === "saving" || (this.#standstill === "told" && !this.#runtime)) return;
    if (this.#runtime) this.#runtime.handle.send({ type: "operation", runId, number, result });
    else this.#early.push({ number, result });
  }

  waiting({ waits }: Of<"waiting">): void {
    if (this.#over || this.#stop) return;
    this.#onlyWaits = true;
    const { suspendAfterMs = DEFAULTS.suspendAfterMs } = this.#ready?.deployment.manifest ?? {};
    const ms = suspendInMs(waits, Date.now(), suspendAfterMs);
    const now = performance.now();
    this.#suspendAt = ms === null ? Number.POSITIVE_INFINITY : Math.max(now + ms, this.#notBefore);
    if (this.#suspendAt <= now) this.#suspend();
  }

  working(): void {
    this.#onlyWaits = false;
    this.#suspendAt = Number.POSITIVE_INFINITY;
    if (this.#standstill === "asked") this.#standstill = null;
  }

  /** Suspends it if it only waits, however short. */
  suspendNow(): void {
    if (this.#onlyWaits) this.#suspend();
  }

  suspended(message: Of<"suspended">): void {
    if (this.#over || this.#stop || this.#standstill !== "asked") return;
    const { reusable = false, usageMs, waits } = message;
    this.#reusable = reusable;
    const { runId, token } = this.run;
    const suspension: RunSuspension = { runId, token, waits, usageMs };
    if (this.#saves) void this.#save(suspension);
    else this.#tell(suspension);
  }

  /** The server's answer to the suspension. */
  suspensionAnswered(answer: SuspensionVerdict): void {
    if (this.#over || this.#standstill !== "told") return;
    switch (answer.verdict) {
      case "suspended":
        this.#leave("suspended");
        return;
      case "canceled":
        this.#dropCheckpoint();
        this.#leave("canceled");
        return;
      case "stale":
        this.abandon();
        return;
      case "resume":
        this.#goOn(answer.completed);
        return;
      default:
    }
  }

  restored(): void {
    const { runId, token } = this.run;
    if (this.#startedAt === null) this.#began(Date.now());
    const handle = this.#runtime?.handle;
    if (!handle) return;
    this.#sendResults([...this.#completed, ...this.#early]);
    const env = {
      [RUNTIME_ENV.apiUrl]: this.#options.apiUrl,
      [RUNTIME_ENV.secretKey]: this.#ready?.deployment.apiToken ?? "",
    };
    handle.send({ type: "resume", runId, token, env });
    this.#dropCheckpoint();
  }

  restoreFailed(reason: string): void {
    this.#isSubmitted = false;
    if (this.#over || !this.#ready) return;
    this.#options.log.warn(`The process of ${this.run.runId} can't be restored, it is replayed: ${reason}`);
    this.#dropCheckpoint();
    // One that was saved under this lease comes again with its journal.
    if (this.#startedAt === null) this.#replay(this.#ready, reason);
    else this.release(`its process could not be restored: ${reason}`);
  }

  completed(message: Of<"completed">): void {
    // The runtime is free for others from here on: nothing of this attempt may stop it.
    this.#runtime = null;
    if (message.outcome.type === "canceled" && this.#stop !== "canceled") {
      this.#fail("TASK_RUN_CANCELLED", "The runtime stopped the run without having been asked to", null);
      return;
    }
    this.#finish(message.outcome, message.usageMs);
  }

  died(exit: RuntimeExit): void {
    this.#runtime = null;
    // It stood still: what it waits for, and all it did, is known.
    if (this.#standstill === "told") return;
    if (this.#stop === "canceled") this.#finish({ type: "canceled" });
    else if (this.#stop === "timeout") {
      const message = `The run took longer than its maxDuration of ${this.run.maxDuration} s and did not stop when it was told to: its process was killed`;
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
    if (this.#over) return false;
    if (this.#events.startFailed() < MAX_START_FAILURES) return true;
    this.#fail("TASK_EXECUTOR_FAILED", `The runtime could not be started: ${message}`);
    return false;
  }

  async #load(): Promise<void> {
    const { deployment } = this.run;
    for (let failures = 1; !this.#over; failures++) {
      let ready: ReadyDeployment;
      try {
        ready = await this.#options.deployments.load(deployment.id);
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
      if (!this.#over) this.#submit(ready);
      return;
    }
  }

  #submit(ready: ReadyDeployment): void {
    this.#ready = ready;
    const ref = this.run.resume?.checkpoint;
    if (!ref) this.#start(ready);
    else {
      this.#resumed = { by: "checkpoint" };
      this.#restore(ready, ref);
    }
  }

  #start(ready: ReadyDeployment): void {
    this.#isSubmitted = true;
    this.#options.pool.submit(this, ready);
  }

  #restore(ready: ReadyDeployment, ref: CheckpointRef): void {
    const { checkpoints, pool } = this.#options;
    // It is handed out once: what can't be restored here never will be, and is deleted.
    this.#checkpoint = ref;
    const saved = checkpoints?.store.find(ref.id, this.run.runId) ?? "this host restores no processes";
    if (!checkpoints || typeof saved === "string") {
      this.restoreFailed(String(saved));
      return;
    }
    this.#isSubmitted = true;
    pool.restore(this, ready, saved, checkpoints.store.memoryOf(ref.id));
  }

  #replay(ready: ReadyDeployment, reason: string): void {
    this.#resumed = { by: "replay", reason: reason.slice(0, MAX_REASON) };
    this.#start(ready);
  }

  #began(at: number): void {
    this.#startedAt = at;
    const { runId, token, maxDuration } = this.run;
    if (maxDuration && this.#stop === null)
      this.#killAt = performance.now() + maxDuration * 1_000 + this.#options.timeoutGraceMs;
    this.#options.reporter.started({ runId, token, startedAt: Math.round(at), resumed: this.#resumed });
  }

  get #saves(): boolean {
    return this.#options.checkpoints !== null && this.#runtime?.canBeSaved === true;
  }

  #suspend(): void {
    this.#suspendAt = Number.POSITIVE_INFINITY;
    if (this.#over || this.#stop || !this.#runtime || this.#standstill) return;
    this.#standstill = "asked";
    this.#runtime.handle.send({ type: "suspend", runId: this.run.runId, checkpoint: this.#saves });
  }

  async #save(suspension: RunSuspension): Promise<void> {
    const { checkpoints, log, onCheckpoint, pool } = this.#options;
    const runtime = this.#runtime as Runtime;
    if (!checkpoints) return;
    this.#standstill = "saving";
    const { id: _, bundlePath: __, ...spec } = specOf(runtime.lane, "");
    const { bornAt, channelToken, runs } = runtime;
    const image = checkpoints.image();
    const about = { runId: this.run.runId, startedAt: bornAt, runs, image, channelToken, spec };
    let checkpointError: string | undefined;
    try {
      const { hostId, id } = await checkpoints.store.create(about, async (folder) => {
        await pool.save(runtime, folder);
        // It has ended, whatever becomes of its files.
        this.#runtime = null;
      });
      this.#checkpoint = { hostId, id };
    } catch (error) {
      checkpointError = messageOf(error).slice(0, MAX_REASON);
      log.warn(
        `The process of ${this.run.runId} could not be saved, it will be replayed: ${checkpointError}`,
      );
    }
    onCheckpoint(this.#checkpoint !== null);
    if (runtime.state === "gone") this.#runtime = null;
    if (this.#over) this.#dropCheckpoint();
    else if (this.#stop === "canceled") {
      // Where it lives on it has heard of the cancellation itself.
      if (!this.#runtime) this.#finish({ type: "canceled" });
      else this.#standstill = null;
    } else this.#tell({ ...suspension, checkpoint: this.#checkpoint, checkpointError });
  }

  #sendResults(results: Pick<CompletedOperation, "number" | "result">[]): void {
    const { runId } = this.run;
    for (const { number, result } of results)
      this.#runtime?.handle.send({ type: "operation", runId, number, result });
  }

  #tell(suspension: RunSuspension): void {
    this.#standstill = "told";
    this.#options.reporter.suspended(suspension);
  }

  /** Something that it waits for is over: it goes on under the same lease. */
  #goOn(completed: CompletedOperation[]): void {
    const { runId, token } = this.run;
    this.#standstill = null;
    // Asking again at once would have the same answer.
    if (completed.length === 0) this.#notBefore = performance.now() + NO_NEWS_MS;
    if (this.#runtime) {
      this.#sendResults(completed);
      this.#runtime.handle.send({ type: "resume", runId, token });
      return;
    }
    this.#completed = completed;
    if (this.#checkpoint && this.#ready) this.#restore(this.#ready, this.#checkpoint);
    // It died while it stood still: it comes again with its journal.
    else this.release("its process ended while it was being suspended");
  }

  /** Nothing of the run is left here; the server knows. */
  #leave(outcome: "suspended" | "canceled"): void {
    const runtime = this.#runtime;
    if (runtime && this.#reusable && !this.#over) {
      this.#runtime = null;
      this.#options.pool.forget(runtime, this.run.runId);
    }
    this.#checkpoint = null;
    if (this.#end()) this.#options.onEnd(outcome, undefined);
  }

  #dropCheckpoint(): void {
    if (this.#checkpoint) this.#options.checkpoints?.store.drop(this.#checkpoint.id);
    this.#checkpoint = null;
  }

  #fail(code: InternalErrorCode, message: string, retry?: null): void {
    this.#finish({ type: "failure", error: internalError(code, message), retry });
  }

  #finish(outcome: AttemptOutcome, usageMs?: number): void {
    if (!this.#end()) return;
    const { runId, token } = this.run;
    const startedAt = this.#startedAt === null ? undefined : Math.round(this.#startedAt);
    this.#options.reporter.completed({ runId, token, startedAt, completedAt: Date.now(), outcome, usageMs });
    const error = outcome.type === "failure" ? outcome.error : undefined;
    this.#options.onEnd(outcome.type, error?.type === "INTERNAL_ERROR" ? error.code : undefined);
  }

  /** False: it was over before. What still runs of it is killed, what was saved of it is deleted. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    if (this.#isSubmitted) this.#options.pool.withdraw(this);
    this.#runtime?.kill();
    this.#runtime = null;
    this.#dropCheckpoint();
    this.#events.ended(this);
    return true;
  }
}
