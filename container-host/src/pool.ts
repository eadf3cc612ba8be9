import { randomBytes } from "node:crypto";
import type { DequeuedRun } from "@acme/sdk/contract";
import { backoffMs, sleep } from "./backoff.ts";
import type { SavedProcess } from "./checkpoints/store.ts";
import type { ReadyDeployment } from "./deployments.ts";
import { messageOf } from "./errors.ts";
import type { Executor, RuntimeCheckpoints, RuntimeEvents, RuntimeExit } from "./executor/executor.ts";
import type { HostLog } from "./log.ts";
import { averageOf, isExpired, startsWanted } from "./pool-plan.ts";
import { minus, NOTHING, plus, type Resources, roomFor } from "./resources.ts";
import { isOf, type Lane, type Of, parseMessage, Runtime, specOf, type Work } from "./runtime.ts";

export interface PoolOptions {
  executor: Executor;
  log: HostLog;
  idleMs: number;
  spares: number;
  /** Most runtimes that start at the same time. */
  startsAtOnce: number;
  /** A runtime is not used again after this many runs. */
  maxRuns: number;
  /** A runtime is not used again after this time: its token and variables grow old. */
  maxAgeMs: number;
  onColdStart(ms: number): void;
  onWarmStart(): void;
  /** Capacity or health changed: there may be room. */
  onChange(): void;
  /** A saved process was restored in `ms`. */
  onRestore(ms: number): void;
  /** A saved process could not be restored. */
  onRestoreFailed(error: Error): void;
  hold(contentHash: string): void;
  release(contentHash: string): void;
}

/** How long a runtime may take to exit when it is asked to. */
const LEAVE_MS = 5_000;
/** How long a runtime may take from its start until its bundle is loaded. */
const START_MS = 60_000;
const SWEEP_MS = 500;
/** How long an executor that does not answer any more may hold up the end of the host. */
const CLOSE_MS = 10_000;

/**
 * Runtimes kept warm. One that finished a run takes the next of the same deployment, environment and machine; runs of
 * different environments never share one.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #all = new Set<Runtime>();
  /** What is to be restored, in order. */
  readonly #restores: { work: Work; ready: ReadyDeployment; saved: SavedProcess; folder: string }[] = [];
  readonly #sweeper: NodeJS.Timeout;
  #used: Resources = NOTHING;
  #starting = 0;
  #ids = 0;
  #startFailures = 0;
  #blocked = false;
  #startScheduled = false;
  #recheck: NodeJS.Timeout | undefined;
  #closing = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** False while the executor can start nothing: taking more runs would only hold them up. */
  get isHealthy(): boolean {
    return !this.#blocked;
  }

  get counts(): { runtimes: number; idle: number; starting: number; waiting: number } {
    let idle = 0;
    let waiting = 0;
    for (const lane of this.#lanes.values()) {
      idle += lane.idle.length;
      waiting += lane.waiting.length;
    }
    return { runtimes: this.#all.size, idle, starting: this.#starting, waiting };
  }

  submit(work: Work, ready: ReadyDeployment): void {
    const lane = this.#laneOf(work.run, ready);
    lane.usedAt = performance.now();
    lane.waiting.push({ work, since: lane.usedAt });
    this.#serve(lane);
  }

  /** As `submit`, for a run whose process was saved into `folder`. */
  restore(work: Work, ready: ReadyDeployment, saved: SavedProcess, folder: string): void {
    this.#laneOf(work.run, ready).usedAt = performance.now();
    this.#restores.push({ work, ready, saved, folder });
    this.#startSoon();
  }

  /**
   * Saves a runtime that stands still and whose channel is detached, and ends it.
   * @throws HangError, Error where it could not be saved: it has to be killed then
   */
  async save(runtime: Runtime, folder: string): Promise<void> {
    const { saving } = runtime.handle;
    if (runtime.state !== "busy" || !saving) throw new Error("The runtime is gone");
    runtime.state = "saving";
    await saving.save(folder);
  }

  /** The run that the runtime stands still with goes on elsewhere: the runtime is free for others. */
  forget(runtime: Runtime, runId: string): void {
    if (runtime.state !== "busy") return;
    runtime.handle.send({ type: "forget", runId });
    runtime.lane.busy -= 1;
    runtime.runs += 1;
    this.#makeIdle(runtime);
    this.#options.onChange();
  }

  /** Takes back what has no runtime yet. */
  withdraw(work: Work): void {
    const place = this.#restores.findIndex((entry) => entry.work === work);
    if (place !== -1) {
      this.#restores.splice(place, 1);
      return;
    }
    for (const lane of this.#lanes.values()) {
      const index = lane.waiting.findIndex((entry) => entry.work === work);
      if (index !== -1) {
        lane.waiting.splice(index, 1);
        return;
      }
    }
  }

  /** Kills every runtime. Resolves when all are gone, or after 10 s. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#sweeper);
    clearTimeout(this.#recheck);
    for (const lane of this.#lanes.values()) lane.waiting.length = 0;
    this.#restores.length = 0;
    for (const runtime of this.#all) runtime.kill();
    if (this.#all.size === 0) return;
    const patience = new AbortController();
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    await Promise.race([empty, sleep(CLOSE_MS, patience.signal)]);
    patience.abort();
  }

  #laneOf(run: DequeuedRun, ready: ReadyDeployment): Lane {
    const { contentHash } = ready.deployment;
    const key = `${run.environment.key} ${contentHash} ${run.machine} ${ready.envHash}`;
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = {
        key,
        ready,
        environmentKey: run.environment.key,
        machine: run.machine,
        waiting: [],
        runtimes: new Set(),
        idle: [],
        busy: 0,
        starting: 0,
        usualMs: new Map(),
        usedAt: 0,
        unloadable: false,
      };
      this.#lanes.set(key, lane);
    }
    // The newest token is what the next runtime starts with.
    lane.ready = ready;
    return lane;
  }

  #serve(lane: Lane): void {
    while (lane.waiting.length > 0) {
      // The one that was used last: its code is hot, and the others may go.
      const runtime = lane.idle.pop();
      if (!runtime) break;
      if (!this.#give(runtime)) {
        lane.idle.push(runtime);
        break;
      }
    }
    if (lane.waiting.length > 0) this.#startSoon();
  }

  /** Once for all that came in this turn. */
  #startSoon(): void {
    if (this.#startScheduled) return;
    this.#startScheduled = true;
    queueMicrotask(() => {
      this.#startScheduled = false;
      if (!this.#closing) this.#startWaiting();
    });
  }

  /** Sends the next run that is still wanted. False: none waits. */
  #give(runtime: Runtime): boolean {
    const { lane } = runtime;
    for (let entry = lane.waiting.shift(); entry; entry = lane.waiting.shift()) {
      if (!entry.work.claim(runtime)) continue;
      if (runtime.runs > 0) this.#options.onWarmStart();
      runtime.state = "busy";
      runtime.work = entry.work;
      runtime.sentAt = performance.now();
      lane.busy += 1;
      runtime.handle.send({ type: "run", run: entry.work.run });
      return true;
    }
    return false;
  }

  #startFor(lane: Lane): void {
    const { executor, startsAtOnce } = this.#options;
    const now = performance.now();
    const wanted = startsWanted({
      waiting: lane.waiting.map(({ work }) => lane.usualMs.get(work.run.taskId)),
      starting: lane.starting,
      busy: [...lane.runtimes].flatMap(({ sentAt, work }) =>
        work ? { usualMs: lane.usualMs.get(work.run.taskId), forMs: now - sentAt } : [],
      ),
      startMs: executor.startMs,
    });
    for (let n = 0; n < wanted; n++) {
      if (this.#closing || this.#blocked || this.#starting >= startsAtOnce) break;
      const cost = executor.cost(lane.machine);
      if (!this.#makeRoom(cost, lane)) break;
      this.#begin(lane, cost);
    }
    if (lane.waiting.length > lane.starting) this.#lookAgain();
  }

  /** What was left waiting for warm runtimes is looked at again when a start would have been worth it. */
  #lookAgain(): void {
    this.#recheck ??= setTimeout(() => {
      this.#recheck = undefined;
      this.#startWaiting();
    }, this.#options.executor.startMs);
  }

  /** What was saved comes first, then the lane that has waited longest. */
  #startWaiting(): void {
    this.#startRestores();
    const lanes = [...this.#lanes.values()].filter((lane) => lane.waiting.length > 0);
    lanes.sort((a, b) => (a.waiting[0]?.since ?? 0) - (b.waiting[0]?.since ?? 0));
    for (const lane of lanes) this.#startFor(lane);
  }

  #startRestores(): void {
    const { executor, startsAtOnce } = this.#options;
    for (let entry = this.#restores[0]; entry; entry = this.#restores[0]) {
      if (this.#closing || this.#blocked || this.#starting >= startsAtOnce) return;
      const lane = this.#laneOf(entry.work.run, entry.ready);
      const cost = executor.cost(lane.machine);
      // Warm runtimes are no use to it, those of its own lane neither.
      if (!this.#makeRoom(cost, null)) return;
      this.#restores.shift();
      const { work } = entry;
      if (!executor.checkpoints) work.restoreFailed("this host can't restore processes");
      else this.#begin(lane, cost, { ...entry, checkpoints: executor.checkpoints });
    }
  }

  /** Ends idle runtimes of other lanes than `wanting`, the longest idle first, until `cost` fits. False: it does not. */
  #makeRoom(cost: Resources, wanting: Lane | null): boolean {
    const { capacity } = this.#options.executor;
    if (roomFor(cost, this.#used, capacity) > 0) return true;
    const idle = [...this.#all]
      .filter((runtime) => runtime.state === "idle" && runtime.lane !== wanting)
      .sort((a, b) => a.idleSince - b.idleSince);
    let leaving = [...this.#all].reduce(
      (sum, runtime) => (runtime.state === "leaving" ? plus(sum, runtime.cost) : sum),
      NOTHING,
    );
    // What leaves gives its room only when it is gone; then this is asked again.
    for (const runtime of idle) {
      if (roomFor(cost, minus(this.#used, leaving), capacity) > 0) return false;
      leaving = plus(leaving, runtime.cost);
      this.#leave(runtime, true);
    }
    return false;
  }

  #begin(
    lane: Lane,
    cost: Resources,
    restore?: { work: Work; saved: SavedProcess; folder: string; checkpoints: RuntimeCheckpoints },
  ): void {
    const { executor, hold, log } = this.#options;
    const { deployment, bundlePath } = lane.ready;
    const runtime = new Runtime(lane, cost, restore?.saved.startedAt ?? Date.now());
    lane.runtimes.add(runtime);
    this.#all.add(runtime);
    this.#used = plus(this.#used, cost);
    this.#starting += 1;
    this.#ids += 1;
    hold(deployment.contentHash);
    const token = restore?.saved.channelToken ?? randomBytes(24).toString("base64url");
    runtime.channelToken = token;
    const id = `${process.pid}-${this.#ids}`;
    const events: RuntimeEvents = {
      onLine: (line) => this.#receive(runtime, token, line),
      onChannelError: (reason) => {
        log.warn(`A runtime of ${deployment.version} is killed: ${reason}`);
        runtime.kill();
      },
      onExit: (exit) => this.#exited(runtime, exit),
    };
    if (restore) {
      const { checkpoints, folder, saved, work } = restore;
      runtime.restoring = work;
      runtime.runs = saved.runs;
      const { image, channelToken, spec } = saved;
      runtime.handle = checkpoints.restore(
        { spec: { ...spec, id }, image, channelToken, folder, bytes: saved.bytes },
        bundlePath,
        events,
      );
      return;
    }
    lane.starting += 1;
    runtime.handle = executor.start(specOf(lane, id), token, events);
  }

  #receive(runtime: Runtime, token: string, line: string): void {
    const message = parseMessage(line);
    if (!message) {
      this.#options.log.warn(`A runtime sent what is no message of the protocol: ${line.slice(0, 200)}`);
      runtime.kill();
      return;
    }
    if (message.type === "hello") {
      if (message.token === token) this.#greeted(runtime);
      else runtime.kill();
      return;
    }
    if (!runtime.greeted) {
      runtime.kill();
      return;
    }
    switch (message.type) {
      case "ready":
        this.#becameReady(runtime);
        return;
      case "broken":
        runtime.broken = message;
        return;
      case "log":
        if (runtime.work?.run.runId === message.runId) runtime.work.log(message, line.length);
        return;
      case "journal":
        if (isOf(runtime.work, message)) runtime.work.journal(message);
        return;
      case "waiting":
        if (isOf(runtime.work, message)) runtime.work.waiting(message);
        return;
      case "working":
        if (isOf(runtime.work, message)) runtime.work.working();
        return;
      case "suspended":
        if (isOf(runtime.work, message)) runtime.work.suspended(message);
        return;
      case "started":
        if (isOf(runtime.work, message)) runtime.work.started(message);
        return;
      case "completed":
        if (isOf(runtime.work, message)) this.#completed(runtime, runtime.work, message);
    }
  }

  #greeted(runtime: Runtime): void {
    runtime.greeted = true;
    const work = runtime.restoring;
    if (!work) return;
    runtime.restoring = null;
    this.#starting -= 1;
    this.#options.onRestore(performance.now() - runtime.startedAt);
    if (work.claim(runtime)) {
      runtime.state = "busy";
      runtime.work = work;
      runtime.sentAt = performance.now();
      runtime.lane.busy += 1;
      work.restored();
    } else {
      runtime.state = "leaving";
      runtime.kill();
    }
    this.#startSoon();
  }

  #becameReady(runtime: Runtime): void {
    if (runtime.state !== "starting" || runtime.restoring) return;
    const { lane } = runtime;
    this.#options.onColdStart(performance.now() - runtime.startedAt);
    this.#starting -= 1;
    this.#startFailures = 0;
    lane.starting -= 1;
    lane.unloadable = false;
    this.#makeIdle(runtime);
    this.#startSoon();
  }

  #makeIdle(runtime: Runtime): void {
    const { lane } = runtime;
    runtime.state = "idle";
    runtime.work = null;
    const { maxAgeMs, maxRuns } = this.#options;
    const now = performance.now();
    if (runtime.runs >= maxRuns || Date.now() - runtime.bornAt > maxAgeMs) {
      this.#leave(runtime, false);
      this.#serve(lane);
      return;
    }
    if (lane.waiting.length > 0 && this.#give(runtime)) return;
    runtime.idleSince = now;
    lane.idle.push(runtime);
  }

  #completed(runtime: Runtime, work: Work, message: Of<"completed">): void {
    const { lane } = runtime;
    lane.busy -= 1;
    const { taskId } = work.run;
    const ms = message.usageMs ?? performance.now() - runtime.sentAt;
    lane.usualMs.set(taskId, averageOf(lane.usualMs.get(taskId), ms));
    runtime.runs += 1;
    runtime.work = null;
    if (message.exiting) {
      runtime.state = "leaving";
      runtime.leaveBy = performance.now() + LEAVE_MS;
    } else {
      // The next run goes out before this one is reported: that is what the runtime waits for.
      this.#makeIdle(runtime);
    }
    work.completed(message);
    if (message.exiting) this.#serve(lane);
  }

  #leave(runtime: Runtime, inLine: boolean): void {
    const { idle } = runtime.lane;
    if (inLine) idle.splice(idle.indexOf(runtime), 1);
    runtime.state = "leaving";
    runtime.leaveBy = performance.now() + LEAVE_MS;
    runtime.handle.send({ type: "shutdown" });
  }

  #exited(runtime: Runtime, exit: RuntimeExit): void {
    const { lane, work, state } = runtime;
    if (state === "gone") return;
    runtime.state = "gone";
    runtime.work = null;
    this.#all.delete(runtime);
    lane.runtimes.delete(runtime);
    this.#used = minus(this.#used, runtime.cost);
    this.#options.release(lane.ready.deployment.contentHash);
    if (state === "idle") lane.idle.splice(lane.idle.indexOf(runtime), 1);
    if (state === "starting") {
      this.#starting -= 1;
      if (runtime.restoring) {
        const error = exit.startError ?? new Error("its process ended at once");
        this.#options.onRestoreFailed(error);
        runtime.restoring.restoreFailed(error.message);
      } else {
        lane.starting -= 1;
        if (!this.#closing) this.#didNotStart(runtime, exit);
      }
    }
    if (work && (state === "busy" || state === "saving")) {
      lane.busy -= 1;
      // The run of a runtime that is being saved is suspended already.
      if (state === "busy") work.died(exit);
    }
    if (this.#all.size === 0) this.#onEmpty?.();
    if (this.#closing) return;
    this.#serve(lane);
    this.#startSoon();
    this.#options.onChange();
  }

  #didNotStart(runtime: Runtime, exit: RuntimeExit): void {
    const { lane, broken } = runtime;
    if (exit.startError !== undefined) {
      const { message } = exit.startError;
      this.#block(message);
      const entry = lane.waiting[0];
      if (entry && !entry.work.startFailed(message)) lane.waiting.shift();
      return;
    }
    lane.unloadable = true;
    if (broken) {
      // Another start would find the same bundle.
      for (const { work } of lane.waiting.splice(0)) work.broken(broken.message, broken.stackTrace);
      return;
    }
    // It ended while it loaded the bundle: that is how the run it was started for ends.
    lane.waiting.shift()?.work.died(exit);
  }

  /** Starts nothing until the executor says that it can. */
  #block(reason: string): void {
    this.#startFailures += 1;
    if (this.#startFailures === 1 || this.#startFailures % 10 === 0)
      this.#options.log.error(`A runtime could not be started (${this.#startFailures}×): ${reason}`);
    if (this.#blocked) return;
    this.#blocked = true;
    const retry = (failures: number): void => {
      if (this.#closing) return;
      const ms = backoffMs(failures, { firstMs: 200, maxMs: 10_000 });
      setTimeout(async () => {
        try {
          await this.#options.executor.probe();
        } catch (error) {
          if (failures % 5 === 1)
            this.#options.log.warn(
              `The ${this.#options.executor.name} executor can't start runtimes: ${messageOf(error)}`,
            );
          retry(failures + 1);
          return;
        }
        this.#blocked = false;
        if (this.#closing) return;
        this.#startWaiting();
        this.#options.onChange();
      }, ms).unref();
    };
    retry(this.#startFailures);
  }

  #sweep(): void {
    const now = performance.now();
    for (const runtime of this.#all) {
      if (runtime.leaveBy < now) runtime.kill();
      if (runtime.state === "starting" && now - runtime.startedAt > START_MS) {
        const message = `The bundle was not loaded within ${START_MS} ms`;
        runtime.broken ??= { type: "broken", message };
        runtime.kill();
      }
    }
    for (const lane of this.#lanes.values()) {
      this.#expire(lane, now);
      this.#startSpares(lane, now);
      if (lane.runtimes.size === 0 && lane.waiting.length === 0 && now - lane.usedAt > this.#options.idleMs)
        this.#lanes.delete(lane.key);
    }
  }

  #expire(lane: Lane, now: number): void {
    for (const runtime of [...lane.idle]) {
      const facts = {
        idleForMs: now - runtime.idleSince,
        idleOfLane: lane.idle.length,
        laneUnusedMs: now - lane.usedAt,
      };
      if (isExpired(facts, this.#options)) this.#leave(runtime, true);
    }
  }

  #startSpares(lane: Lane, now: number): void {
    const { executor, idleMs, spares, startsAtOnce } = this.#options;
    const missing = spares - lane.idle.length - lane.starting;
    if (missing <= 0 || lane.waiting.length > 0 || lane.unloadable || this.#blocked || this.#closing) return;
    // All are busy with runs that take their time: the next one should not wait for a start.
    if (lane.busy === 0 || now - lane.usedAt > idleMs) return;
    const cost = executor.cost(lane.machine);
    if (this.#starting < startsAtOnce && roomFor(cost, this.#used, executor.capacity) > 0)
      this.#begin(lane, cost);
  }
}
