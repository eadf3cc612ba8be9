import type { DequeuedRun } from "../contract/host-protocol.ts";
import type { HostToRuntime, RUNTIME_ENV } from "../contract/runtime-protocol.ts";
import { internal } from "../run/run-error.ts";
import { state } from "../run/state.ts";
import { ActiveResources } from "./active-resources.ts";
import { Attempt } from "./attempt.ts";
import type { Channel } from "./channel.ts";
import { closeIdleConnections } from "./idle-connections.ts";
import { realNow } from "./real-clock.ts";
import { runContext } from "./run-context.ts";

/** The start of a task whose last run took longer than this is sent before the task is called. */
const QUICK_MS = 5;
const LEAVE_MS = 2_000;

/** Executes the runs that the host sends, one at a time, in one process. */
export class Runner {
  readonly #channel: Channel;
  readonly #waiting: DequeuedRun[] = [];
  /** How many milliseconds the last run of each task took. */
  readonly #lastMs = new Map<string, number>();
  #current: { run: DequeuedRun; attempt: Attempt | undefined } | undefined;
  #stopping = false;
  readonly #resources = new ActiveResources();

  constructor(channel: Channel) {
    this.#channel = channel;
    // Callbacks that lost their context (native addons, pools created at module level) belong to the run in
    // progress: there is only one. Code that an earlier run left behind keeps that run's context, and belongs
    // to no run.
    state.currentRun = () => {
      const attempt = runContext.getStore()?.attempt ?? this.#current?.attempt;
      return attempt?.ended ? undefined : attempt;
    };
  }

  receive(message: HostToRuntime): void {
    switch (message.type) {
      case "run":
        this.#waiting.push(message.run);
        this.#next();
        return;
      case "cancel":
        this.#cancel(message.runId);
        return;
      case "token":
        if (this.#current?.run.runId === message.runId) setApiToken(message.apiToken);
        return;
      case "journaled":
        this.#attempt(message.runId)?.durable.journaled(message.seq);
        return;
      case "operation":
        this.#attempt(message.runId)?.completed(message.number, message.result);
        return;
      case "suspend":
        void this.#suspend(message.runId, message.checkpoint);
        return;
      case "resume":
        this.#resume(message);
        return;
      case "forget":
        this.#forget(message.runId);
        return;
      case "shutdown":
        this.#stopping = true;
        this.#next();
        return;
      default:
    }
  }

  /**
   * Handles an error that nothing caught. The run it belongs to fails with it. If an earlier run left the
   * error behind, no run fails, and the process ends after the run in progress. Returns false if no run is in
   * progress.
   */
  uncaught(error: unknown): boolean {
    const current = this.#current?.attempt;
    if (!current) return false;
    const attempt = runContext.getStore()?.attempt ?? current;
    if (attempt === current) attempt.fail(error);
    else current.exiting = true;
    return true;
  }

  /**
   * True if the run in progress is being ended with this error: nobody may be waiting for its operations any
   * more.
   */
  isExpected(error: unknown): boolean {
    const stopped = this.#current?.attempt?.durable.stopped;
    return stopped !== undefined && stopped === error;
  }

  /** Passes entries that are still buffered to the channel, before the process exits. */
  flush(): void {
    this.#current?.attempt?.flushLogs();
  }

  #attempt(runId: string): Attempt | undefined {
    return this.#current?.run.runId === runId ? this.#current.attempt : undefined;
  }

  async #suspend(runId: string, checkpoint: boolean): Promise<void> {
    const attempt = this.#attempt(runId);
    if (!attempt) return;
    // A process that cannot close its channel cannot be saved.
    attempt.durable.answering();
    const waits = checkpoint && !this.#channel.canReconnect ? undefined : await attempt.suspend();
    const { token } = attempt;
    if (attempt.ended) return;
    // The attempt's activity is reported after the answer.
    attempt.durable.answered();
    if (!waits) {
      this.#channel.send({ type: "working", runId, token });
      return;
    }
    await closeIdleConnections();
    const reusable = !checkpoint && !this.#resources.hasMore();
    const usageMs = Math.round(attempt.activeMs * 1_000) / 1_000;
    this.#channel.send({ type: "suspended", runId, token, waits, usageMs, reusable: reusable || undefined });
    if (checkpoint) await this.#channel.reconnect();
  }

  #resume({ runId, token, env }: Extract<HostToRuntime, { type: "resume" }>): void {
    Object.assign(process.env, env);
    this.#attempt(runId)?.resume(token);
  }

  #forget(runId: string): void {
    const attempt = this.#attempt(runId);
    if (!attempt) return;
    attempt.forget();
    this.#current = undefined;
    this.#next();
  }

  #next(): void {
    if (this.#current) return;
    const run = this.#waiting.shift();
    if (run) void this.#execute(run);
    else if (this.#stopping) void this.#leave();
  }

  async #execute(run: DequeuedRun): Promise<void> {
    const at = realNow();
    const task = state.tasks.get(run.taskId);
    if (!task) {
      const known = [...state.tasks.keys()].slice(0, 50).join(", ");
      const message = `Version ${run.deployment.version} has no task "${run.taskId}". Its tasks: ${known}`;
      const error = internal("COULD_NOT_FIND_TASK", message);
      this.#complete(run, run.token, { type: "failure", error, retry: null }, 0, false);
      this.#next();
      return;
    }
    this.#resources.note();
    setApiToken(run.apiToken);
    const attempt = new Attempt(run, task, this.#channel);
    this.#current = { run, attempt };
    const started = { type: "started", runId: run.runId, token: run.token, at } as const;
    // The start of a quick task is reported together with its end, which halves the messages, the writes and
    // the host's wake-ups. Other starts are sent now, because the function may block the thread.
    if (!run.resume && (this.#lastMs.get(run.taskId) ?? QUICK_MS) < QUICK_MS) this.#channel.hold(started);
    else {
      this.#channel.send(started);
      this.#channel.flush();
    }
    const outcome = await runContext.run({ attempt, inside: undefined }, () => attempt.execute());
    if (attempt.forgotten) return;
    const usageMs = attempt.activeMs;
    this.#lastMs.set(run.taskId, usageMs);
    this.#current = undefined;
    this.#complete(run, attempt.token, outcome, usageMs, attempt.exiting);
    if (attempt.exiting) void this.#exit(1);
    else this.#next();
  }

  #complete(
    run: DequeuedRun,
    token: number,
    outcome: Parameters<typeof completed>[2],
    usageMs: number,
    exiting: boolean,
  ): void {
    const startedAt = this.#channel.takeHeld(run.runId)?.at;
    this.#channel.send(completed(run, token, outcome, usageMs, exiting, startedAt));
  }

  #cancel(runId: string): void {
    if (this.#current?.run.runId === runId) {
      this.#current.attempt?.cancel();
      return;
    }
    const index = this.#waiting.findIndex((run) => run.runId === runId);
    const [run] = index === -1 ? [] : this.#waiting.splice(index, 1);
    if (run) this.#complete(run, run.token, { type: "canceled" }, 0, false);
  }

  /** Gives background work of tasks (sending telemetry, say) a moment to finish. */
  async #leave(): Promise<void> {
    await this.#channel.drained();
    this.#channel.unref();
    setTimeout(() => process.exit(0), LEAVE_MS).unref();
  }

  async #exit(code: number): Promise<void> {
    await this.#channel.drained();
    process.exit(code);
  }
}

// The contract's name, spelled out: importing it would load zod.
const SECRET_KEY: (typeof RUNTIME_ENV)["secretKey"] = "ACME_SECRET_KEY";

/**
 * A process executes one run at a time, so its environment holds that run's token, which becomes invalid when
 * the run is finished.
 */
function setApiToken(apiToken: string | undefined): void {
  if (apiToken === undefined) delete process.env[SECRET_KEY];
  else process.env[SECRET_KEY] = apiToken;
}

const completed = (
  run: DequeuedRun,
  token: number,
  outcome: Awaited<ReturnType<Attempt["execute"]>>,
  usageMs: number,
  exiting: boolean,
  startedAt: number | undefined,
) =>
  ({
    type: "completed",
    runId: run.runId,
    token,
    at: realNow(),
    startedAt,
    usageMs: Math.round(usageMs * 1_000) / 1_000,
    outcome,
    exiting: exiting || undefined,
  }) as const;
