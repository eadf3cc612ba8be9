import {
  type AttemptOutcome,
  type DequeuedRun,
  type InternalErrorCode,
  internalError,
  type RuntimeToHost,
} from "@acme/sdk/contract";
import { ApiError } from "./api.ts";
import { backoffMs, sleep } from "./backoff.ts";
import type { Deployments, ReadyDeployment } from "./deployments.ts";
import { HostError, messageOf } from "./errors.ts";
import type { RuntimeExit } from "./executor/executor.ts";
import { errorOfExit } from "./exit-error.ts";
import type { HostLog } from "./log.ts";
import type { LogSender } from "./log-sender.ts";
import type { Pool, Runtime, Work } from "./pool.ts";
import type { Lease } from "./report-queue.ts";
import type { Reporter } from "./reporter.ts";

type Of<T extends RuntimeToHost["type"]> = Extract<RuntimeToHost, { type: T }>;

/** Why an attempt was told to stop: what its end then means. */
type StopReason =
  /** The run was canceled. */
  | "canceled"
  /** It ran longer than `maxDuration`, and the runtime could not end it. */
  | "timeout";

/** Latency of a lease on its way: the host counts it as over this much earlier. */
const LEASE_MARGIN_MS = 2_000;
/** Starts of runtimes that may fail for one run before it is failed. */
const MAX_START_FAILURES = 5;
const KEPT_START_FAILURES = 1_000;

export interface AttemptsOptions {
  deployments: Pick<Deployments, "peek" | "load">;
  pool: Pick<Pool, "submit" | "withdraw">;
  reporter: Pick<Reporter, "started" | "completed">;
  logs: Pick<LogSender, "add">;
  log: HostLog;
  cancelGraceMs: number;
  timeoutGraceMs: number;
  onStart(): void;
  /** `outcome`: its type, or "lost" where there was nothing to report. `errorCode`: of a failure. */
  onEnd(outcome: AttemptOutcome["type"] | "lost", errorCode: string | undefined): void;
}

/** What this host holds leases of. */
export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #attempts = new Map<string, Attempt>();
  readonly #startFailures = new Map<string, number>();

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#attempts.size;
  }

  *runs(): Generator<DequeuedRun> {
    for (const attempt of this.#attempts.values()) yield attempt.run;
  }

  leases(): Lease[] {
    return [...this.#attempts.values()].map(({ run: { runId, token } }) => ({ runId, token }));
  }

  /** Takes a run that was leased to this host. The same lease again is ignored. */
  accept(run: DequeuedRun): void {
    const known = this.#attempts.get(run.runId);
    if (known) {
      if (known.run.token >= run.token) return;
      known.abandon();
    }
    const attempt = new Attempt(run, this.#options, {
      ended: (ended) => {
        if (this.#attempts.get(run.runId) === ended) this.#attempts.delete(run.runId);
      },
      startFailed: () => this.#countStartFailure(run.runId),
    });
    this.#attempts.set(run.runId, attempt);
    attempt.prepare();
  }

  cancel(lease: Lease): void {
    this.#find(lease)?.cancel();
  }

  /** The lease is over: the run belongs to others. */
  lost(lease: Lease): void {
    this.#find(lease)?.abandon();
  }

  /** All leases are over. */
  abandonAll(): void {
    for (const attempt of [...this.#attempts.values()]) attempt.abandon();
  }

  /** Gives back what no runtime has yet. */
  releaseWaiting(reason: string): void {
    for (const attempt of [...this.#attempts.values()]) if (!attempt.isSent) attempt.release(reason);
  }

  /** Gives back everything and kills what runs. */
  releaseAll(reason: string): void {
    for (const attempt of [...this.#attempts.values()]) attempt.release(reason);
  }

  /** Looks at all deadlines: one clock for all, because a timer each would cost more than short attempts do. */
  sweep(now = performance.now()): void {
    for (const attempt of [...this.#attempts.values()]) attempt.sweep(now);
  }

  #find({ runId, token }: Lease): Attempt | undefined {
    const attempt = this.#attempts.get(runId);
    return attempt?.run.token === token ? attempt : undefined;
  }

  #countStartFailure(runId: string): number {
    const count = (this.#startFailures.get(runId) ?? 0) + 1;
    this.#startFailures.delete(runId);
    this.#startFailures.set(runId, count);
    if (this.#startFailures.size > KEPT_START_FAILURES)
      this.#startFailures.delete(this.#startFailures.keys().next().value as string);
    return count;
  }
}

interface AttemptEvents {
  ended(attempt: Attempt): void;
  /** Returns how often it happened to this run. */
  startFailed(): number;
}

/** One attempt of a run: from its lease to its outcome. */
class Attempt implements Work {
  readonly run: DequeuedRun;
  readonly #options: AttemptsOptions;
  readonly #events: AttemptEvents;
  /** When the lease of the unstarted run ends. */
  readonly #startBy: number;
  readonly #acceptedAt = performance.now();
  #runtime: Runtime | null = null;
  /** Milliseconds since the epoch. */
  #startedAt: number | null = null;
  #stop: StopReason | null = null;
  #killAt = Number.POSITIVE_INFINITY;
  #over = false;
  /** It was handed to a runtime, once. */
  #claimed = false;

  constructor(run: DequeuedRun, options: AttemptsOptions, events: AttemptEvents) {
    this.run = run;
    this.#options = options;
    this.#events = events;
    this.#startBy = this.#acceptedAt + run.leaseMs - Math.min(LEASE_MARGIN_MS, run.leaseMs / 10);
  }

  get isSent(): boolean {
    return this.#runtime !== null;
  }

  prepare(): void {
    const ready = this.#options.deployments.peek(this.run.deployment.id);
    if (ready) this.#options.pool.submit(this, ready);
    else void this.#load();
  }

  cancel(): void {
    if (this.#over || this.#stop) return;
    this.#stop = "canceled";
    if (!this.#runtime) {
      this.#finish({ type: "canceled" }, 0);
      return;
    }
    this.#runtime.cancel(this.run.runId);
    this.#killAt = performance.now() + this.#options.cancelGraceMs;
  }

  /** Stops it without a word: whoever holds the lease now reports. */
  abandon(): void {
    if (this.#end()) this.#options.onEnd("lost", undefined);
  }

  release(reason: string): void {
    if (this.#stop === "canceled") this.#finish({ type: "canceled" });
    else this.#finish({ type: "released", reason });
  }

  sweep(now: number): void {
    if (now > this.#killAt) {
      this.#killAt = Number.POSITIVE_INFINITY;
      this.#stop ??= "timeout";
      this.#runtime?.kill();
    }
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
    if (performance.now() > this.#startBy) {
      this.abandon();
      return false;
    }
    this.#runtime = runtime;
    this.#claimed = true;
    this.#options.onStart();
    return true;
  }

  started(message: Of<"started">): void {
    if (this.#over || this.#startedAt !== null) return;
    const { runId, token, maxDuration } = this.run;
    this.#startedAt = Math.min(message.at, Date.now());
    if (maxDuration && this.#stop === null)
      this.#killAt = performance.now() + maxDuration * 1_000 + this.#options.timeoutGraceMs;
    this.#options.reporter.started({ runId, token, startedAt: Math.round(this.#startedAt) });
  }

  log(message: Of<"log">, size: number): void {
    const { runId, attempt } = this.run;
    if (!this.#over) this.#options.logs.add(runId, attempt, message.entries, size);
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
      if (!this.#over) this.#options.pool.submit(this, ready);
      return;
    }
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

  /** False: it was over before. What still runs of it is killed. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    if (!this.#claimed) this.#options.pool.withdraw(this);
    this.#runtime?.kill();
    this.#runtime = null;
    this.#events.ended(this);
    return true;
  }
}
