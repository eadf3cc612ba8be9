import type { DispatcherRpc, QueueReport, QueueRpc } from "@acme/durable-objects/rpc";
import type { AttemptCompleted, AttemptStarted, DequeuedRun, LeaseVerdict } from "@acme/sdk/contract";
import { parseRunId } from "@acme/sdk/contract";
import type { Platform } from "./platform.ts";
import type { World } from "./world.ts";

/** What an attempt of a simulated task does. */
export interface Behaviour {
  durationMs: number;
  fails: boolean;
}

export interface HostOptions {
  hostId: string;
  slots: number;
  /** Decides what an attempt does; called once an attempt. */
  behaviour(run: DequeuedRun): Behaviour;
  /** Called when the attempt's code is about to run, and when it ended or was stopped. */
  onStart(run: DequeuedRun): void;
  onEnd(run: DequeuedRun): void;
}

interface Attempt {
  run: DequeuedRun;
  stopped: boolean;
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
        for (const notice of result.notices) this.#cancel(session, notice.runId, notice.token);
        for (const json of result.runs) void this.#run(session, JSON.parse(json) as DequeuedRun);
      } catch {
        await this.#world.sleep(this.#world.between(50, 500));
      }
    }
  }

  async #run(session: number, run: DequeuedRun): Promise<void> {
    const attempt: Attempt = { run, stopped: false };
    this.#attempts.set(key(run), attempt);
    this.#options.onStart(run);
    const { durationMs, fails } = this.#options.behaviour(run);
    const started: AttemptStarted = { runId: run.runId, token: run.token, startedAt: this.#world.now };
    // Some starts are told on their own, some together with the end.
    if (durationMs > 50) void this.#report(session, { started: [started] });
    await this.#world.sleep(durationMs);
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
  async #report(session: number, parts: Partial<QueueReport>): Promise<void> {
    const runId = (parts.started ?? parts.completed ?? parts.heartbeats)?.[0]?.runId as string;
    const queue = this.#platform.stub<QueueRpc>("QUEUE", parseRunId(runId)?.queueKey as string);
    const { hostId } = this.#options;
    const report = {
      hostId,
      sessionId: this.#sessionId(session),
      started: [],
      completed: [],
      heartbeats: [],
      journals: [],
      suspensions: [],
      ...parts,
    };
    for (;;) {
      try {
        const verdicts = await queue.applyReports(report);
        if (session !== this.#session) return;
        report.heartbeats.forEach((lease, index) => {
          this.#obey(session, lease, verdicts.heartbeats[index] as LeaseVerdict);
        });
        report.started.forEach((lease, index) => {
          this.#obey(session, lease, verdicts.started[index] as LeaseVerdict);
        });
        return;
      } catch {
        await this.#world.sleep(this.#world.between(100, 1_000));
        if (session !== this.#session) return;
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
