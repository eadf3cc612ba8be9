import type { DispatcherRpc, QueueReport, QueueReportResult, QueueRpc } from "@acme/durable-objects/rpc";
import type {
  AttemptCompleted,
  AttemptOutcome,
  DequeuedRun,
  HostNotice,
  JournalEntry,
  OperationResult,
} from "@acme/sdk/contract";
import { internalError, parseRunId } from "@acme/sdk/contract";
import { nextPoll } from "../../container-host/src/poll-plan.ts";
import { INTRUDER } from "./checks/isolation.ts";
import type { Feeds } from "./feeds.ts";
import type { Invariants } from "./invariants.ts";
import type { Platform } from "./platform.ts";
import { type End, type Operation, type TaskCode, widthOf } from "./task-code.ts";
import type { Clock, World } from "./world.ts";

export interface HostOptions {
  hostId: string;
  slots: number;
  code: TaskCode;
  invariants: Invariants;
  /** Where attempts log and stream; absent: they don't. */
  feeds?: Feeds;
}

interface Attempt {
  run: DequeuedRun;
  /** The attempt's code no longer runs. */
  stopped: boolean;
  results: Map<number, OperationResult>;
}

type Lease = { runId: string; token: number };

/**
 * A container host together with the Worker in front of the objects: it polls, runs attempts that take virtual time, and
 * reports until it is answered. It can be killed at any moment, and starts again as a new session.
 */
export class SimulatedHost {
  readonly #world: World;
  readonly #platform: Platform;
  readonly #options: HostOptions;
  readonly #clock: Clock = { skewMs: 0 };
  #session = 0;
  /** By run: a host has one attempt of a run. */
  #attempts = new Map<string, Attempt>();
  /** The number of runs that waiting polls asked for. */
  readonly #polls = new Map<symbol, number>();
  #resting = false;

  constructor(world: World, platform: Platform, options: HostOptions) {
    this.#world = world;
    this.#platform = platform;
    this.#options = options;
  }

  start(): void {
    this.#stop();
    const { skewMs } = this.#platform.faults;
    this.#clock.skewMs = this.#world.between(-skewMs, skewMs);
    this.#world.note(`host ${this.#sessionId(this.#session)} starts`);
    this.#world.clock.run(this.#clock, () => {
      this.#pump(this.#session);
      void this.#heartbeats(this.#session);
    });
  }

  /** Stops the host as a power failure does: it sends nothing more, and its attempts are lost. */
  kill(): void {
    this.#world.note(`host ${this.#sessionId(this.#session)} is killed`);
    this.#stop();
  }

  #stop(): void {
    this.#session += 1;
    for (const attempt of this.#attempts.values()) attempt.stopped = true;
    this.#attempts.clear();
    this.#polls.clear();
    this.#resting = false;
  }

  /** Stops all attempts and ends the session. */
  leave(): void {
    this.#seen(this.#session, true);
    this.kill();
  }

  #sessionId(session: number): string {
    return `${this.#options.hostId}-${session}`;
  }

  /**
   * Polls for as many runs as there are free slots, by the plan of the real host. Must be called when slots
   * may have become free.
   */
  #pump(session: number): void {
    if (session !== this.#session || this.#resting) return;
    const held = this.#attempts.size;
    const next = nextPoll(Math.max(0, this.#options.slots - held), held, [...this.#polls.values()]);
    if (next) void this.#poll(session, next.max);
  }

  async #poll(session: number, max: number): Promise<void> {
    const dispatcher = this.#platform.stub<DispatcherRpc>("DISPATCHER", "default");
    const id = Symbol();
    this.#polls.set(id, max);
    try {
      const { hostId } = this.#options;
      const sessionId = this.#sessionId(session);
      const result = await dispatcher.poll({ protocol: 1, hostId, sessionId, max, waitMs: 20_000 });
      if (session !== this.#session) return;
      this.#polls.delete(id);
      if (result.ended) {
        this.kill();
        this.start();
        return;
      }
      for (const notice of result.notices) this.#noticed(session, notice);
      for (const { json } of result.runs) this.#accept(session, JSON.parse(json) as DequeuedRun);
    } catch {
      if (session !== this.#session) return;
      this.#polls.delete(id);
      this.#resting = true;
      await this.#world.sleep(this.#world.between(50, 500));
      if (session !== this.#session) return;
      this.#resting = false;
    }
    this.#pump(session);
  }

  /**
   * Accepts a run that was leased to this host. A repeated lease is ignored; a newer one ends the older one.
   */
  #accept(session: number, run: DequeuedRun): void {
    const known = this.#attempts.get(run.runId);
    if (known && known.run.token >= run.token) return;
    if (known) known.stopped = true;
    void this.#run(session, run);
  }

  async #run(session: number, run: DequeuedRun): Promise<void> {
    const attempt: Attempt = { run, stopped: false, results: new Map() };
    for (const { number, result } of run.resume?.journal ?? [])
      if (result) attempt.results.set(number, result);
    this.#attempts.set(run.runId, attempt);
    this.#world.note(`host ${this.#sessionId(session)} starts lease ${run.token} of ${run.runId}`);
    this.#options.invariants.started(run, this.#sessionId(session));
    const { durationMs, end, operations, retryMs } = this.#options.code.behaviour(run);
    const startedAt = Date.now();
    if (end === "released") {
      attempt.stopped = true;
      await this.#complete(session, attempt, { type: "released", reason: "simulated" }, startedAt, 0);
      return;
    }
    // Some starts are reported on their own, some together with the end.
    if (durationMs > 50 || operations.length > 0) void this.#reportStart(session, run, startedAt);
    await this.#world.sleep(durationMs);
    if (!(await this.#perform(session, attempt, operations))) return;
    const goesOn = () => session === this.#session && !attempt.stopped;
    const { feeds, hostId } = this.#options;
    if (feeds && goesOn()) await feeds.write(run, hostId, goesOn);
    if (!goesOn()) return;
    if (end === "success") feeds?.succeeds(run);
    attempt.stopped = true;
    await this.#complete(session, attempt, outcomeOf(run, end, retryMs), startedAt, durationMs);
  }

  /** The start of an attempt may be reported after what it has done since. */
  async #reportStart(session: number, run: DequeuedRun, startedAt: number): Promise<void> {
    if (this.#world.chance(0.1)) await this.#world.sleep(this.#world.between(0, 10_000));
    if (session !== this.#session) return;
    await this.#report(session, { started: [{ ...leaseOf(run), startedAt }] });
  }

  /** Performs operations in order. Returns false when the attempt has ended or is suspended. */
  async #perform(session: number, attempt: Attempt, operations: Operation[]): Promise<boolean> {
    const { invariants } = this.#options;
    let number = 0;
    for (const operation of operations) {
      if (session !== this.#session || attempt.stopped) return false;
      const waits = Array.from({ length: widthOf(operation) }, (_, index) => number + index);
      number += waits.length;
      const open = waits.filter((wait) => !attempt.results.has(wait));
      if (open.length > 0 && !(await this.#performOne(session, attempt, operation, open))) return false;
      if (session !== this.#session || attempt.stopped) return false;
      for (const wait of waits) {
        const result = attempt.results.get(wait) as OperationResult;
        invariants.operations.returned(attempt.run, wait, result, operation.kind === "run");
        if (JSON.stringify(result).includes(INTRUDER))
          invariants.violations.report(
            9,
            `operation ${wait} of ${attempt.run.runId} has an intruder's result`,
          );
      }
    }
    return true;
  }

  async #performOne(
    session: number,
    attempt: Attempt,
    operation: Operation,
    open: number[],
  ): Promise<boolean> {
    if (operation.kind === "step") return this.#step(session, attempt, open[0] as number);
    const { run } = attempt;
    const known = new Set(run.resume?.journal.map((entry) => entry.number));
    const begun = await Promise.all(open.map((number) => this.#options.code.begin(run, number, operation)));
    if (session !== this.#session || attempt.stopped) return false;
    if (begun.some((entries) => entries === null)) return false;
    // A wait that is already in the journal keeps its end.
    const entries = begun
      .flatMap((some) => some ?? [])
      .filter(({ number, result }) => result || !known.has(number));
    if (entries.length > 0 && !(await this.#journal(session, run, entries))) return false;
    for (const { number, result } of entries) if (result) attempt.results.set(number, result);
    return this.#wait(session, attempt, open);
  }

  async #step(session: number, attempt: Attempt, number: number): Promise<boolean> {
    const { run } = attempt;
    const { operations, leases } = this.#options.invariants;
    // An attempt with an old lease (a late delivery, a host that was cut off) knows nothing of later leases until its first
    // report is answered.
    if (run.token >= leases.current(run.runId)) operations.performed(run, number);
    const result: OperationResult = { ok: true, output: String(this.#world.random()) };
    const entry = { number, kind: "step", name: "step", startedAt: Date.now(), result } as const;
    if (!(await this.#journal(session, run, [entry]))) return false;
    operations.recorded(run, number);
    attempt.results.set(number, result);
    return true;
  }

  async #wait(session: number, attempt: Attempt, waits: number[]): Promise<boolean> {
    const { run } = attempt;
    for (;;) {
      const open = waits.filter((number) => !attempt.results.has(number));
      if (open.length === 0) return true;
      // Sometimes the wait ends while the process still exists.
      await this.#world.sleep(this.#world.between(0, 5_000));
      if (session !== this.#session || attempt.stopped) return false;
      const left = open.filter((number) => !attempt.results.has(number));
      if (left.length === 0) return true;
      const verdicts = await this.#report(session, { suspensions: [{ ...leaseOf(run), waits: left }] });
      const verdict = verdicts?.suspensions[0];
      if (session !== this.#session || attempt.stopped) return false;
      if (verdict?.verdict === "resume") {
        for (const { number, result } of verdict.completed) attempt.results.set(number, result);
        continue;
      }
      this.#forget(attempt);
      return false;
    }
  }

  async #journal(session: number, run: DequeuedRun, entries: JournalEntry[]): Promise<boolean> {
    const journal = { ...leaseOf(run), attempt: run.attempt, entries };
    const verdicts = await this.#report(session, { journals: [journal] });
    return verdicts?.journals[0] === "ok";
  }

  #noticed(session: number, notice: HostNotice): void {
    if (notice.type === "cancel") this.#cancel(session, notice);
    else this.#find(notice)?.results.set(notice.number, notice.result);
  }

  async #complete(
    session: number,
    attempt: Attempt,
    outcome: AttemptOutcome,
    startedAt: number,
    usageMs: number,
  ): Promise<void> {
    const completed: AttemptCompleted = {
      ...leaseOf(attempt.run),
      startedAt,
      completedAt: Date.now(),
      usageMs,
      outcome,
    };
    await this.#report(session, { completed: [completed] });
    if (session === this.#session) this.#forget(attempt);
  }

  #cancel(session: number, lease: Lease): void {
    const attempt = this.#find(lease);
    if (!attempt || attempt.stopped) return;
    attempt.stopped = true;
    void this.#complete(session, attempt, { type: "canceled" }, Date.now(), 0);
  }

  #find({ runId, token }: Lease): Attempt | undefined {
    const attempt = this.#attempts.get(runId);
    return attempt?.run.token === token ? attempt : undefined;
  }

  #forget(attempt: Attempt): void {
    attempt.stopped = true;
    if (this.#attempts.get(attempt.run.runId) === attempt) this.#attempts.delete(attempt.run.runId);
    this.#pump(this.#session);
  }

  async #heartbeats(session: number): Promise<void> {
    for (;;) {
      await this.#world.sleep(30_000);
      if (session !== this.#session) return;
      const byQueue = Map.groupBy(
        this.#attempts.values(),
        ({ run }) => parseRunId(run.runId)?.queueKey ?? "",
      );
      for (const attempts of byQueue.values())
        void this.#report(session, { heartbeats: attempts.map(({ run }) => leaseOf(run)) });
      this.#seen(session, false);
    }
  }

  #seen(session: number, goodbye: boolean): void {
    this.#platform
      .stub<DispatcherRpc>("DISPATCHER", "default")
      .hostSeen(this.#options.hostId, this.#sessionId(session), goodbye)
      .catch(() => {});
  }

  /** Reports to one queue, and repeats the report until it is answered. */
  async #report(session: number, parts: Partial<QueueReport>): Promise<QueueReportResult | null> {
    const { leases } = this.#options.invariants;
    const report: QueueReport = {
      hostId: this.#options.hostId,
      sessionId: this.#sessionId(session),
      started: [],
      completed: [],
      heartbeats: [],
      journals: [],
      checkpoints: [],
      suspensions: [],
      ...parts,
    };
    const reported = [
      ...report.started,
      ...report.completed,
      ...report.heartbeats,
      ...report.journals,
      ...report.suspensions,
    ];
    const queueKey = parseRunId(reported[0]?.runId ?? "")?.queueKey as string;
    const queue = this.#platform.stub<QueueRpc>("QUEUE", queueKey);
    for (;;) {
      const current = reported.map(({ runId }) => leases.current(runId));
      try {
        const verdicts = await queue.applyReports(report);
        const all = [
          ...verdicts.started,
          ...verdicts.completed,
          ...verdicts.heartbeats,
          ...verdicts.journals,
          ...verdicts.suspensions.map(({ verdict }) => verdict),
        ];
        for (const [index, lease] of reported.entries()) {
          leases.answered(lease, current[index] as number, all[index] as string);
          if (session === this.#session) this.#obey(session, lease, all[index] as string);
        }
        return session === this.#session ? verdicts : null;
      } catch {
        await this.#world.sleep(this.#world.between(100, 1_000));
        if (session !== this.#session) return null;
      }
    }
  }

  #obey(session: number, lease: Lease, verdict: string): void {
    if (verdict === "canceled") this.#cancel(session, lease);
    if (verdict !== "stale") return;
    const attempt = this.#find(lease);
    if (attempt) this.#forget(attempt);
  }
}

const leaseOf = ({ runId, token }: DequeuedRun): Lease => ({ runId, token });

function outcomeOf(run: DequeuedRun, end: Exclude<End, "released">, retryMs: number): AttemptOutcome {
  if (end === "success")
    return { type: "success", output: JSON.stringify(run.token), outputType: "application/json" };
  if (end !== "failure" && end !== "final-failure")
    return { type: "failure", error: internalError(end, `attempt ${run.attempt} failed`) };
  return {
    type: "failure",
    error: { type: "STRING_ERROR", raw: `attempt ${run.attempt} failed` },
    retry: end === "failure" ? { delayMs: retryMs } : null,
  };
}
