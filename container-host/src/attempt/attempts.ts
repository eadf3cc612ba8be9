import type { DequeuedRun } from "@acme/sdk/contract";
import type { ProcessSaver } from "../checkpoints/saver.ts";
import type { Deployments } from "../deployments.ts";
import type { HostLog } from "../log.ts";
import type { Pool } from "../pool/pool.ts";
import type { Lease } from "../report-queue.ts";
import type { Reporter } from "../reporter.ts";
import type { TelemetrySender } from "../telemetry/telemetry-sender.ts";
import { Attempt } from "./attempt.ts";
import type { RunObserver } from "./run-observer.ts";

const KEPT_START_FAILURES = 1_000;

export interface AttemptsOptions {
  deployments: Pick<Deployments, "peek" | "load">;
  pool: Pick<Pool, "submit" | "restore" | "forget" | "withdraw">;
  reporter: Pick<Reporter, "started" | "completed" | "journal" | "suspended">;
  telemetry: Pick<TelemetrySender, "add">;
  log: HostLog;
  /** Null: this host can't save processes. */
  saver: ProcessSaver | null;
  /** The address at which runtimes reach the server. */
  apiUrl: string;
  cancelGraceMs: number;
  timeoutGraceMs: number;
  observer: RunObserver;
}

/** The attempts whose leases this host holds. */
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
      known.succeeded();
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

  /** Returns the attempt under this lease; undefined if this host doesn't have it any more. */
  find({ runId, token }: Lease): Attempt | undefined {
    const attempt = this.#attempts.get(runId);
    return attempt?.run.token === token ? attempt : undefined;
  }

  has(runId: string): boolean {
    return this.#attempts.has(runId);
  }

  /** Stops everything, because all leases have ended. */
  abandonAll(): void {
    for (const attempt of [...this.#attempts.values()]) attempt.abandon();
  }

  /** Gives back attempts that no runtime has yet, and suspends runs that only wait. */
  drain(reason: string): void {
    for (const attempt of [...this.#attempts.values()]) {
      if (attempt.isSent) attempt.suspendNow();
      else attempt.release(reason);
    }
  }

  /** Gives back everything and kills all runtimes. */
  releaseAll(reason: string): void {
    for (const attempt of [...this.#attempts.values()]) attempt.release(reason);
  }

  /**
   * Checks all deadlines. One timer serves all attempts, because one for each would cost more than a short
   * attempt.
   */
  sweep(now = performance.now()): void {
    for (const attempt of [...this.#attempts.values()]) attempt.sweep(now);
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
