import type { DispatcherRpc, QueueReport, QueueReportResult, QueueRpc } from "@acme/durable-objects/rpc";
import type {
  AttemptCompleted,
  AttemptStarted,
  DequeuedRun,
  HostNotice,
  JournalEntry,
  LeaseVerdict,
  OperationResult,
} from "@acme/sdk/contract";
import { parseRunId } from "@acme/sdk/contract";
import type { Platform } from "./platform.ts";
import type { World } from "./world.ts";

/** What an attempt of a simulated task does. */
export interface Behaviour {
  durationMs: number;
  fails: boolean;
  /** Its durable operations, one after the other. */
  operations: Operation[];
}

export type Operation =
  | { kind: "step" }
  | { kind: "wait"; ms: number }
  /** Waits for children side by side. */
  | { kind: "children"; count: number };

export interface HostOptions {
  hostId: string;
  slots: number;
  /** Decides what an attempt does; called once an attempt. */
  behaviour(run: DequeuedRun): Behaviour;
  /** Called when the attempt's code is about to run, and when it ended or was stopped. */
  onStart(run: DequeuedRun): void;
  /** Creates, or finds, the child that an operation of the run stands for. */
  trigger(run: DequeuedRun, number: number): Promise<void>;
  /** A step's function was called. */
  onStep(run: DequeuedRun, number: number): void;
  /** The journal has this step's result from now on. */
  onRecorded(run: DequeuedRun, number: number): void;
  /** The task's code got an operation's result. */
  onResult(run: DequeuedRun, number: number, result: OperationResult): void;
  onEnd(run: DequeuedRun): void;
}

interface Attempt {
  run: DequeuedRun;
  stopped: boolean;
  results: Map<number, OperationResult>;
}

/**
 * A container host together with the Worker in front of the objects: it polls, runs attempts that take virtual time, and
 * reports until it is answered. It can be killed at any moment, and starts again as a new session.
 */
export class SimulatedHost {
  readonly #world: World;
  readonly #platform: Platform;
  readonly #options: HostOptions;
  #session = 0;
  #attempts = new Map<string, Attempt>();

  constructor(world: World, platform: Platform, options: HostOptions) {
    this.#world = world;
    this.#platform = platform;
    this.#options = options;
  }

  start(): void {
    this.#session += 1;
    void this.#poll(this.#session);
    void this.#heartbeats(this.#session);
  }

  /** Power is gone: nothing more is said, whatever ran is gone. */
  kill(): void {
    this.#session += 1;
    for (const attempt of this.#attempts.values()) this.#end(attempt);
    this.#attempts.clear();
  }

  #sessionId(session: number): string {
    return `${this.#options.hostId}-${session}`;
  }

  async #poll(session: number): Promise<void> {
    const dispatcher = this.#platform.stub<DispatcherRpc>("DISPATCHER", "default");
    while (session === this.#session) {
      try {
        const result = await dispatcher.poll({
          protocol: 1,
          hostId: this.#options.hostId,
          sessionId: this.#sessionId(session),
          max: this.#options.slots - this.#attempts.size,
          waitMs: 20_000,
        });
        if (session !== this.#session) return;
        if (result.ended) {
          this.kill();
          this.start();
          return;
        }
        for (const notice of result.notices) this.#noticed(session, notice);
        for (const json of result.runs) void this.#run(session, JSON.parse(json) as DequeuedRun);
      } catch {
        await this.#world.sleep(this.#world.between(50, 500));
      }
    }
  }

  async #run(session: number, run: DequeuedRun): Promise<void> {
    const attempt: Attempt = { run, stopped: false, results: new Map() };
    for (const { number, result } of run.resume?.journal ?? [])
      if (result) attempt.results.set(number, result);
    this.#attempts.set(key(run), attempt);
    this.#options.onStart(run);
    const { durationMs, fails, operations } = this.#options.behaviour(run);
    const started: AttemptStarted = { runId: run.runId, token: run.token, startedAt: this.#world.now };
    // Some starts are told on their own, some together with the end.
    if (durationMs > 50 || operations.length > 0) void this.#report(session, { started: [started] });
    await this.#world.sleep(durationMs);
    if (!(await this.#perform(session, attempt, operations))) return;
    if (session !== this.#session || attempt.stopped) return;
    this.#end(attempt);
    await this.#complete(session, run, {
      runId: run.runId,
      token: run.token,
      startedAt: started.startedAt,
      completedAt: this.#world.now,
      usageMs: durationMs,
      outcome: fails
        ? {
            type: "failure",
            error: { type: "STRING_ERROR", raw: `attempt ${run.attempt} failed` },
            retry: { delayMs: 200 },
          }
        : { type: "success", output: JSON.stringify(run.token), outputType: "application/json" },
    });
  }

  /** False: the attempt is over, or suspended. */
  async #perform(session: number, attempt: Attempt, operations: Operation[]): Promise<boolean> {
    const { run } = attempt;
    let number = 0;
    for (const operation of operations) {
      if (session !== this.#session || attempt.stopped) return false;
      const waits = Array.from(
        { length: operation.kind === "children" ? operation.count : 1 },
        (_, index) => number + index,
      );
      number += waits.length;
      const open = waits.filter((wait) => !attempt.results.has(wait));
      if (open.length > 0) {
        const ended =
          operation.kind === "step"
            ? await this.#step(session, attempt, open[0] as number)
            : await this.#wait(session, attempt, operation, open);
        if (!ended) return false;
      }
      if (session !== this.#session || attempt.stopped) return false;
      for (const wait of waits)
        this.#options.onResult(run, wait, attempt.results.get(wait) as OperationResult);
    }
    return true;
  }

  async #step(session: number, attempt: Attempt, number: number): Promise<boolean> {
    const { run } = attempt;
    this.#options.onStep(run, number);
    const result: OperationResult = { ok: true, output: String(this.#world.random()) };
    const entry = { number, kind: "step", name: "step", startedAt: this.#world.now, result } as const;
    if (!(await this.#journal(session, run, [entry]))) return false;
    this.#options.onRecorded(run, number);
    attempt.results.set(number, result);
    return true;
  }

  async #wait(session: number, attempt: Attempt, operation: Operation, waits: number[]): Promise<boolean> {
    const { run } = attempt;
    const known = new Set(run.resume?.journal.map((entry) => entry.number));
    if (operation.kind === "wait") {
      const until = this.#world.now + operation.ms;
      const entries = waits
        .filter((number) => !known.has(number))
        .map(
          (number) => ({ number, kind: "wait", name: "wait", startedAt: this.#world.now, until }) as const,
        );
      if (entries.length > 0 && !(await this.#journal(session, run, entries))) return false;
    } else await Promise.all(waits.map((number) => this.#options.trigger(run, number)));
    for (;;) {
      // Sometimes it is over while the process is still there.
      await this.#world.sleep(this.#world.between(0, 5_000));
      if (session !== this.#session || attempt.stopped) return false;
      const open = waits.filter((number) => !attempt.results.has(number));
      if (open.length === 0) return true;
      const lease = { runId: run.runId, token: run.token };
      const verdicts = await this.#report(session, { suspensions: [{ ...lease, waits: open }] });
      const verdict = verdicts?.suspensions[0];
      if (session !== this.#session || attempt.stopped) return false;
      if (verdict?.verdict === "resume") {
        for (const { number, result } of verdict.completed) attempt.results.set(number, result);
        continue;
      }
      this.#end(attempt);
      this.#attempts.delete(key(run));
      return false;
    }
  }

  async #journal(session: number, run: DequeuedRun, entries: JournalEntry[]): Promise<boolean> {
    const journal = { runId: run.runId, token: run.token, attempt: run.attempt, entries };
    const verdicts = await this.#report(session, { journals: [journal] });
    return verdicts?.journals[0] === "ok";
  }

  #noticed(session: number, notice: HostNotice): void {
    if (notice.type === "cancel") this.#cancel(session, notice.runId, notice.token);
    else this.#attempts.get(`${notice.runId} ${notice.token}`)?.results.set(notice.number, notice.result);
  }

  async #complete(session: number, run: DequeuedRun, completed: AttemptCompleted): Promise<void> {
    await this.#report(session, { completed: [completed] });
    if (session !== this.#session) return;
    // A message that arrives twice, the second time long after.
    if (this.#world.chance(0.05)) {
      await this.#world.sleep(this.#world.between(1, 5_000));
      await this.#report(session, { completed: [completed] });
    }
    this.#attempts.delete(key(run));
  }

  #cancel(session: number, runId: string, token: number): void {
    const attempt = [...this.#attempts.values()].find((a) => a.run.runId === runId && a.run.token === token);
    if (!attempt || attempt.stopped) return;
    this.#end(attempt);
    const completedAt = this.#world.now;
    void this.#complete(session, attempt.run, { runId, token, completedAt, outcome: { type: "canceled" } });
  }

  #end(attempt: Attempt): void {
    if (attempt.stopped) return;
    attempt.stopped = true;
    this.#options.onEnd(attempt.run);
  }

  async #heartbeats(session: number): Promise<void> {
    for (;;) {
      await this.#world.sleep(30_000);
      if (session !== this.#session) return;
      const byQueue = Map.groupBy(this.#attempts.values(), (a) => parseRunId(a.run.runId)?.queueKey ?? "");
      for (const attempts of byQueue.values()) {
        const heartbeats = attempts.map(({ run }) => ({ runId: run.runId, token: run.token }));
        void this.#report(session, { heartbeats });
      }
      this.#seen(session);
    }
  }

  #seen(session: number): void {
    this.#platform
      .stub<DispatcherRpc>("DISPATCHER", "default")
      .hostSeen(this.#options.hostId, this.#sessionId(session), false)
      .catch(() => {});
  }

  /** Tells one queue; again and again until it answers. */
  async #report(session: number, parts: Partial<QueueReport>): Promise<QueueReportResult | null> {
    const { started, completed, heartbeats, journals, suspensions } = parts;
    const runId = (started ?? completed ?? heartbeats ?? journals ?? suspensions)?.[0]?.runId as string;
    const queue = this.#platform.stub<QueueRpc>("QUEUE", parseRunId(runId)?.queueKey as string);
    const { hostId } = this.#options;
    const report = {
      hostId,
      sessionId: this.#sessionId(session),
      started: [],
      completed: [],
      heartbeats: [],
      journals: [],
      checkpoints: [],
      suspensions: [],
      ...parts,
    };
    for (;;) {
      try {
        const verdicts = await queue.applyReports(report);
        if (session !== this.#session) return null;
        report.heartbeats.forEach((lease, index) => {
          this.#obey(session, lease, verdicts.heartbeats[index] as LeaseVerdict);
        });
        report.started.forEach((lease, index) => {
          this.#obey(session, lease, verdicts.started[index] as LeaseVerdict);
        });
        report.journals.forEach((lease, index) => {
          this.#obey(session, lease, verdicts.journals[index] as LeaseVerdict);
        });
        return verdicts;
      } catch {
        await this.#world.sleep(this.#world.between(100, 1_000));
        if (session !== this.#session) return null;
      }
    }
  }

  #obey(session: number, lease: { runId: string; token: number }, verdict: LeaseVerdict): void {
    if (verdict === "canceled") this.#cancel(session, lease.runId, lease.token);
    if (verdict !== "stale") return;
    const attempt = this.#attempts.get(`${lease.runId} ${lease.token}`);
    if (!attempt) return;
    this.#end(attempt);
    this.#attempts.delete(key(attempt.run));
  }
}

const key = (run: DequeuedRun): string => `${run.runId} ${run.token}`;
