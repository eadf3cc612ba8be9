import { updateRunMetadata } from "../client/runs-api.ts";
import type { AttemptOutcome, DequeuedRun } from "../contract/host-protocol.ts";
import type { OperationResult } from "../contract/journal.ts";
import type { LogEntry } from "../contract/log-entry.ts";
import { TELEMETRY_LIMITS } from "../contract/telemetry-limits.ts";
import type { Context } from "../run/context.ts";
import { notSaved, RunMetadata } from "../run/run-metadata.ts";
import { type RegisteredTask, type RunScope, state } from "../run/state.ts";
import { ActiveTime } from "./active-time.ts";
import { AttemptStop } from "./attempt-stop.ts";
import type { Channel } from "./channel.ts";
import { contextOf } from "./context-of-run.ts";
import { Journal } from "./journal.ts";
import { LogBuffer } from "./log-buffer.ts";
import { realNow } from "./real-clock.ts";
import type { Recorder } from "./recorder.ts";
import { TaskExecution } from "./task-execution.ts";
import { AttemptTelemetry } from "./telemetry/attempt-telemetry.ts";
import { changeSpan, logListeners, runMetrics, spanListeners } from "./telemetry/setup.ts";
import { TelemetryBuffer } from "./telemetry/telemetry-buffer.ts";

/** The run's end waits this long for its streams to be stored. */
const STREAMS_MS = 60_000;

/**
 * One attempt of a run, from its start to its outcome: it runs, is suspended in memory and runs again, and is
 * over (`ended`) with an outcome or because another process resumes it (`forgotten`).
 *
 * The parts: `TaskExecution` calls the task and its hooks, `Journal` keeps its operations, `ActiveTime` counts
 * its time, `AttemptStop` says whether it is being ended from outside.
 */
export class Attempt implements RunScope {
  readonly ctx: Context;
  readonly durable: Journal;
  /** The attempt is over. Code of it that still runs belongs to no run. */
  ended = false;
  /** The attempt is suspended here for good: another process resumes it. */
  forgotten = false;
  /** Set when the process should not be used again: code of this attempt may still be running. */
  exiting = false;
  /** Fences messages about the attempt. Changes when the attempt is resumed after a suspension. */
  token: number;
  readonly #run: DequeuedRun;
  readonly #logs: LogBuffer;
  readonly telemetry: AttemptTelemetry;
  readonly #buffer: TelemetryBuffer;
  readonly #execution: TaskExecution;
  readonly #stop = new AttemptStop();
  readonly #time: ActiveTime;
  readonly pending = new Set<Promise<void>>();
  #locals: Map<symbol, unknown> | undefined;
  #metadata: RunMetadata | undefined;
  /** What it waits for, while it is suspended. */
  #suspendedWaits: number[] | undefined;

  constructor(run: DequeuedRun, task: RegisteredTask, channel: Channel) {
    this.#run = run;
    this.#logs = new LogBuffer(channel, run.runId, run.attempt);
    this.token = run.token;
    this.#buffer = new TelemetryBuffer(channel, run.runId, run.attempt);
    this.telemetry = new AttemptTelemetry(run, this.#buffer, () => this.replaying, spanListeners, changeSpan);
    this.durable = new Journal(this.#journalOwner(channel), run.resume, state.config.record ?? {});
    // The start is the first value that an attempt records, so that a replay reports the same one.
    this.ctx = contextOf(run, task, new Date(this.durable.recorder.now(realNow)));
    this.#execution = new TaskExecution(run, task, this.ctx, this.#stop, (message, properties) =>
      this.log("error", message, properties),
    );
    this.#time = new ActiveTime(this.ctx.run.maxDuration, run.resume?.usedMs ?? 0, {
      reached: (error) => {
        this.#stop.timeOut(error);
        this.durable.stop(error);
      },
      overdue: (error) => this.fail(error),
    });
  }

  get recorder(): Recorder {
    return this.durable.recorder;
  }

  get replaying(): boolean {
    return this.durable.replaying;
  }

  get startedAt(): number {
    return this.#time.startedAt;
  }

  /**
   * Milliseconds that the attempt has run since its last recorded suspension, without the time during which
   * it was suspended.
   */
  get activeMs(): number {
    return this.#time.activeMs;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get locals(): Map<symbol, unknown> {
    this.#locals ??= new Map();
    return this.#locals;
  }

  get metadata(): RunMetadata {
    const { runId, parentRunId, metadata } = this.#run;
    this.#metadata ??= new RunMetadata({
      initial: metadata,
      hasParent: Boolean(parentRunId),
      send: (update) => this.durable.inner("the SDK", () => updateRunMetadata(runId, update)),
      warn: (message) => this.log("error", message),
    });
    return this.#metadata;
  }

  log(level: LogEntry["level"], message: string, properties?: object): void {
    if (this.ended || this.replaying) return;
    const active = this.telemetry.activeSpan();
    this.#logs.add(level, message, properties, active);
    if (logListeners.size === 0) return;
    const { runId, attempt } = this.#run;
    const { traceId, spanId } = active ?? this.telemetry;
    const line = { time: realNow(), level, message, properties, span: { traceId, spanId }, runId, attempt };
    for (const listener of logListeners) listener(line);
  }

  flushLogs(): void {
    this.#logs.flush();
    this.#buffer.flush();
  }

  /** The run was canceled: aborts the signal; the attempt ends as canceled when its function settles. */
  cancel(): void {
    if (this.#stop.canceled || this.ended) return;
    this.resume(this.token);
    this.#stop.cancel();
    this.durable.stop(this.signal.reason);
    this.#execution.canceled();
  }

  /** An operation that the attempt waits for has a result. */
  completed(number: number, result: OperationResult): void {
    this.durable.completed(number, result);
  }

  /**
   * Suspends the attempt in memory if it only waits. Resolves to the numbers of the operations that it waits
   * for, when everything there is to send has been sent; or to undefined if the attempt continues.
   */
  async suspend(): Promise<number[] | undefined> {
    if (this.#time.isSuspended) return this.#suspendedWaits;
    if (this.ended || !this.durable.onlyWaits()) return undefined;
    if (this.#metadata?.pending) await this.#flushMetadata(this.#metadata);
    const waits = this.durable.onlyWaits();
    if (!waits || this.ended) return undefined;
    this.durable.freeze();
    this.#logs.flush();
    this.telemetry.suspend();
    this.#time.suspend();
    this.#suspendedWaits = waits;
    return waits;
  }

  /** Resumes the attempt if it is suspended. */
  resume(token: number): void {
    const isRecorded = token !== this.token;
    this.token = token;
    if (!this.#time.isSuspended) return;
    this.#time.resume(isRecorded);
    this.durable.resume();
  }

  /** The attempt is resumed elsewhere: nothing more of it happens here. */
  forget(): void {
    this.forgotten = true;
    this.ended = true;
    this.durable.end();
    this.telemetry.forget();
    runMetrics.end();
  }

  /** Fails the attempt with an error that nobody caught. The process must not be used again. */
  fail(error: unknown): void {
    this.exiting = true;
    this.#execution.interrupt(error);
  }

  /** Executes the attempt. Never rejects. Leaves no timer and nothing unsent behind. */
  async execute(): Promise<AttemptOutcome> {
    this.#time.startTimer();
    runMetrics.begin(this.#run.runId, this.#run.attempt, this.#buffer, () => this.#time.isSuspended);
    let outcome = await this.#execution.execute();
    this.#time.stopTimer();
    if (this.#stop.canceled) outcome = { type: "canceled" };
    if (this.pending.size > 0) await this.#flushStreams();
    if (this.#metadata) await this.#flushMetadata(this.#metadata);
    this.durable.end();
    runMetrics.end();
    const { dropped } = this.telemetry.end(outcome);
    if (dropped > 0)
      this.log(
        "warn",
        `${dropped} spans were dropped: an attempt records at most ${TELEMETRY_LIMITS.spansPerAttempt}`,
      );
    this.#logs.flush();
    this.ended = true;
    return outcome;
  }

  #journalOwner(channel: Channel): ConstructorParameters<typeof Journal>[0] {
    return {
      self: this,
      telemetry: this.telemetry,
      runId: this.#run.runId,
      attempt: this.#run.attempt,
      // No getter: V8 would make a hidden class for each attempt, which keeps its garbage alive.
      token: () => this.token,
      send: (message) => channel.send(message),
      failed: (error) => this.fail(error),
      callWaitHooks: (kind, wait) => this.#execution.callWaitHooks(kind, wait),
    };
  }

  /** The run does not end before everything written to its streams is stored, or a time limit has passed. */
  async #flushStreams(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, STREAMS_MS);
    const written = Promise.allSettled([...this.pending]);
    const settled = await Promise.race([written, late.promise]);
    clearTimeout(timer);
    if (!settled)
      this.log(
        "error",
        `Streams were still being written after ${STREAMS_MS / 1_000} s; the run ends without the rest`,
      );
    for (const result of settled ?? [])
      if (result.status === "rejected")
        this.log("error", `A stream was not written to its end: ${String(result.reason)}`);
  }

  async #flushMetadata(metadata: RunMetadata): Promise<void> {
    try {
      await metadata.flush();
    } catch (error) {
      this.log("error", notSaved(error));
    }
  }
}
