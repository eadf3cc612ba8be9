import { randomBytes } from "node:crypto";
import type { SavedProcess } from "../checkpoints/store.ts";
import type { ReadyDeployment } from "../deployments.ts";
import type { Executor, RuntimeCheckpoints, RuntimeEvents, RuntimeExit } from "../executor/executor.ts";
import type { HostLog } from "../log.ts";
import { orLate } from "../or-late.ts";
import { type LaneOf, Lanes } from "./lanes.ts";
import { type MessageHandlers, receive } from "./messages.ts";
import { averageOf, isExpired, startsWanted } from "./plan.ts";
import { type Lane, type Of, Runtime, specOf, type Work } from "./runtime.ts";
import { Runtimes } from "./runtimes.ts";
import { StartGuard } from "./start-guard.ts";

export interface PoolOptions {
  executor: Executor;
  log: HostLog;
  idleMs: number;
  spares: number;
  /** The maximum number of runtimes that start at the same time. */
  startsAtOnce: number;
  /** A runtime is not used again after this many runs. */
  maxRuns: number;
  /** A runtime is not used again after this time, because its token and variables become outdated. */
  maxAgeMs: number;
  onColdStart(ms: number): void;
  onWarmStart(): void;
  /** Called when capacity or health has changed, so that there may be room. */
  onChange(): void;
  /** Called when a saved process was restored in `ms`. */
  onRestore(ms: number): void;
  /** Called when a saved process could not be restored. */
  onRestoreFailed(error: Error): void;
  hold(contentHash: string): void;
  release(contentHash: string): void;
}

/** How long a runtime may take to exit when it is asked to. */
const LEAVE_MS = 5_000;
/** How long a runtime may take from its start until its bundle is loaded. */
const START_MS = 60_000;
const SWEEP_MS = 500;
const WARM_AGAIN_MS = 5_000;
/** How long an executor that does not answer may delay the host's stop. */
const CLOSE_MS = 10_000;

/** A run whose process is to be restored. */
interface Restore {
  work: Work;
  ready: ReadyDeployment;
  saved: SavedProcess;
  folder: string;
}

/**
 * Keeps runtimes warm. One that finished a run takes the next of the same deployment, environment and machine; runs of
 * different environments never share one.
 *
 * `Lanes` groups runtimes and waiting runs by what a runtime is started with, `Runtimes` keeps their states
 * and the room that they take, `StartGuard` knows whether anything can be started; this class decides what is
 * started, and which runtime gets which run.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #lanes = new Lanes();
  readonly #runtimes: Runtimes;
  readonly #guard: StartGuard;
  /** Runs to restore, in order. */
  readonly #restores: Restore[] = [];
  readonly #sweeper: NodeJS.Timeout;
  #ids = 0;
  #startScheduled = false;
  #recheck: NodeJS.Timeout | undefined;
  #closing = false;
  /** The lane that always has an idle runtime. */
  #warm: Lane | null = null;
  /**
   * When a runtime was last started for it: a runtime that ends soon after its start is not replaced at once.
   */
  #warmedAt = Number.NEGATIVE_INFINITY;
  #onEmpty: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#runtimes = new Runtimes(options.executor.capacity);
    this.#guard = new StartGuard(options.executor, options.log, () => {
      this.#startWaiting();
      options.onChange();
    });
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Returns false while the executor can start nothing, so that runs would only wait. */
  get isHealthy(): boolean {
    return this.#guard.isOpen;
  }

  get counts(): { runtimes: number; idle: number; starting: number; waiting: number } {
    let idle = 0;
    let waiting = 0;
    for (const lane of this.#lanes) {
      idle += lane.idle.length;
      waiting += lane.waiting.length;
    }
    return { runtimes: this.#runtimes.size, idle, starting: this.#runtimes.starting, waiting };
  }

  submit(work: Work, ready: ReadyDeployment): void {
    const lane = this.#lanes.of(work.run, ready);
    lane.usedAt = performance.now();
    lane.waiting.push({ work, since: lane.usedAt });
    this.#serve(lane);
  }

  /**
   * From now on, only this lane always keeps an idle runtime, even before its first run and however long it
   * has none.
   */
  keepWarm(of: LaneOf, ready: ReadyDeployment): void {
    const lane = this.#lanes.of(of, ready);
    lane.usedAt = performance.now();
    this.#warm = lane;
    this.#warmedAt = Number.NEGATIVE_INFINITY;
    this.#startWarm();
  }

  /** Like `submit`, for a run whose process was saved into `folder`. */
  restore(work: Work, ready: ReadyDeployment, saved: SavedProcess, folder: string): void {
    this.#lanes.of(work.run, ready).usedAt = performance.now();
    this.#restores.push({ work, ready, saved, folder });
    this.#startSoon();
  }

  /**
   * Saves a frozen runtime whose channel is detached, and ends it.
   * @throws HangError or Error if it could not be saved; it has to be killed then
   */
  async save(runtime: Runtime, folder: string): Promise<void> {
    const { saving } = runtime.handle;
    if (runtime.state !== "busy" || !saving) throw new Error("The runtime is gone");
    this.#runtimes.enter(runtime, "saving");
    await saving.save(folder);
  }

  /** Frees a frozen runtime for other runs, because its run continues elsewhere. */
  forget(runtime: Runtime, runId: string): void {
    if (runtime.state !== "busy") return;
    runtime.handle.send({ type: "forget", runId });
    runtime.runs += 1;
    this.#makeIdle(runtime);
    this.#options.onChange();
  }

  /** Removes a run that has no runtime yet. */
  withdraw(work: Work): void {
    const place = this.#restores.findIndex((entry) => entry.work === work);
    if (place !== -1) this.#restores.splice(place, 1);
    else this.#lanes.withdraw(work);
  }

  /** Kills every runtime. Resolves when all are gone, or after 10 s. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#guard.close();
    clearInterval(this.#sweeper);
    clearTimeout(this.#recheck);
    for (const lane of this.#lanes) lane.waiting.length = 0;
    this.#restores.length = 0;
    for (const runtime of this.#runtimes) runtime.kill();
    if (this.#runtimes.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    await orLate(empty, CLOSE_MS);
  }

  #serve(lane: Lane): void {
    while (lane.waiting.length > 0) {
      // The most recently used one, whose code is hot; the others may be ended.
      const runtime = lane.idle.at(-1);
      if (!runtime || !this.#give(runtime)) break;
    }
    if (lane.waiting.length > 0) this.#startSoon();
  }

  /** Runs once for all requests of this turn of the event loop. */
  #startSoon(): void {
    if (this.#startScheduled) return;
    this.#startScheduled = true;
    queueMicrotask(() => {
      this.#startScheduled = false;
      if (!this.#closing) this.#startWaiting();
    });
  }

  /** Sends an idle runtime the next run that is still needed. Returns false if none waits. */
  #give(runtime: Runtime): boolean {
    const { waiting } = runtime.lane;
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      if (!entry.work.claim(runtime)) continue;
      if (runtime.runs > 0) this.#options.onWarmStart();
      this.#makeBusy(runtime, entry.work);
      runtime.handle.send({ type: "run", run: entry.work.run });
      return true;
    }
    return false;
  }

  #makeBusy(runtime: Runtime, work: Work): void {
    this.#runtimes.enter(runtime, "busy");
    runtime.work = work;
    runtime.sentAt = performance.now();
  }

  get #canStart(): boolean {
    return !this.#closing && this.#guard.isOpen && this.#runtimes.starting < this.#options.startsAtOnce;
  }

  #startFor(lane: Lane): void {
    const { executor } = this.#options;
    const now = performance.now();
    const wanted = startsWanted({
      waiting: lane.waiting.map(({ work }) => lane.usualMs.get(work.run.taskId)),
      starting: lane.starting,
      busy: [...lane.runtimes].flatMap(({ sentAt, work }) =>
        work ? { usualMs: lane.usualMs.get(work.run.taskId), forMs: now - sentAt } : [],
      ),
      startMs: executor.startMs,
    });
    for (let n = 0; n < wanted && this.#canStart; n++) {
      if (!this.#makeRoom(lane, lane)) break;
      this.#start(lane);
    }
    if (lane.waiting.length > lane.starting) this.#lookAgain();
  }

  /**
   * Runs that were left waiting for warm runtimes are checked again when a start would have been worthwhile.
   */
  #lookAgain(): void {
    this.#recheck ??= setTimeout(() => {
      this.#recheck = undefined;
      this.#startWaiting();
    }, this.#options.executor.startMs);
  }

  /** Saved processes come first, then the lane that has waited longest. */
  #startWaiting(): void {
    this.#startRestores();
    const lanes = [...this.#lanes].filter((lane) => lane.waiting.length > 0);
    lanes.sort((a, b) => (a.waiting[0]?.since ?? 0) - (b.waiting[0]?.since ?? 0));
    for (const lane of lanes) this.#startFor(lane);
  }

  #startRestores(): void {
    const { checkpoints } = this.#options.executor;
    for (let entry = this.#restores[0]; entry && this.#canStart; entry = this.#restores[0]) {
      const lane = this.#lanes.of(entry.work.run, entry.ready);
      // A restoration can't use warm runtimes, not even those of its own lane.
      if (!this.#makeRoom(lane, null)) return;
      this.#restores.shift();
      if (checkpoints) this.#startSaved(lane, entry, checkpoints);
      else entry.work.restoreFailed("this host can't restore processes");
    }
  }

  /**
   * Ends idle runtimes of lanes other than `wanting` until a runtime of `lane` fits. Returns false while it
   * does not.
   */
  #makeRoom(lane: Lane, wanting: Lane | null): boolean {
    const cost = this.#options.executor.cost(lane.machine);
    if (this.#runtimes.hasRoomFor(cost)) return true;
    // A leaving runtime frees its room only when it is gone; then this is called again.
    for (const runtime of this.#runtimes.toLeaveFor(cost, wanting)) this.#leave(runtime);
    return false;
  }

  #start(lane: Lane): void {
    const token = randomBytes(24).toString("base64url");
    const runtime = new Runtime(lane, this.#options.executor.cost(lane.machine), token, null);
    const { events, id } = this.#begin(runtime);
    runtime.handle = this.#options.executor.start(specOf(lane, id), token, events);
  }

  #startSaved(lane: Lane, { folder, saved, work }: Restore, checkpoints: RuntimeCheckpoints): void {
    const { bytes, channelToken, image, runs, spec, startedAt: bornAt } = saved;
    const cost = this.#options.executor.cost(lane.machine);
    const runtime = new Runtime(lane, cost, channelToken, { work, bornAt, runs });
    const { events, id } = this.#begin(runtime);
    runtime.handle = checkpoints.restore(
      { spec: { ...spec, id }, image, channelToken, folder, bytes },
      lane.ready.bundlePath,
      events,
    );
  }

  #begin(runtime: Runtime): { id: string; events: RuntimeEvents } {
    const { hold, log } = this.#options;
    const { deployment } = runtime.lane.ready;
    this.#runtimes.add(runtime);
    this.#ids += 1;
    hold(deployment.contentHash);
    const handlers: MessageHandlers = {
      greeted: () => this.#greeted(runtime),
      ready: () => this.#becameReady(runtime),
      completed: (work, message) => this.#completed(runtime, work, message),
      violated: (reason) => {
        log.warn(`A runtime of ${deployment.version} is killed: ${reason}`);
        runtime.kill();
      },
    };
    const events: RuntimeEvents = {
      onLine: (line) => receive(runtime, line, handlers),
      onChannelError: handlers.violated,
      onExit: (exit) => this.#exited(runtime, exit),
    };
    return { id: `${process.pid}-${this.#ids}`, events };
  }

  /** After its channel was closed around a suspension, the runtime connects and sends `hello` again. */
  #greeted(runtime: Runtime): void {
    runtime.greeted = true;
    const work = runtime.restoring;
    if (!work || runtime.state !== "restoring") return;
    this.#options.onRestore(performance.now() - runtime.startedAt);
    if (work.claim(runtime)) {
      this.#makeBusy(runtime, work);
      work.restored();
    } else {
      this.#runtimes.enter(runtime, "leaving");
      runtime.kill();
    }
    this.#startSoon();
  }

  #becameReady(runtime: Runtime): void {
    if (runtime.state !== "starting") return;
    this.#options.onColdStart(performance.now() - runtime.startedAt);
    this.#guard.started();
    runtime.lane.unloadable = false;
    this.#makeIdle(runtime);
    this.#startSoon();
  }

  #makeIdle(runtime: Runtime): void {
    const { lane } = runtime;
    const { maxAgeMs, maxRuns } = this.#options;
    this.#runtimes.enter(runtime, "idle");
    runtime.work = null;
    runtime.idleSince = performance.now();
    if (runtime.runs >= maxRuns || Date.now() - runtime.bornAt > maxAgeMs) {
      this.#leave(runtime);
      this.#serve(lane);
    } else if (lane.waiting.length > 0) this.#give(runtime);
  }

  #completed(runtime: Runtime, work: Work, message: Of<"completed">): void {
    const { lane } = runtime;
    const { taskId } = work.run;
    const ms = message.usageMs ?? performance.now() - runtime.sentAt;
    lane.usualMs.set(taskId, averageOf(lane.usualMs.get(taskId), ms));
    runtime.runs += 1;
    runtime.work = null;
    if (message.exiting) {
      this.#runtimes.enter(runtime, "leaving");
      runtime.leaveBy = performance.now() + LEAVE_MS;
    } else {
      // The next run is sent before this one is reported: that is what the runtime waits for.
      this.#makeIdle(runtime);
    }
    work.completed(message);
    if (message.exiting) this.#serve(lane);
  }

  #leave(runtime: Runtime): void {
    this.#runtimes.enter(runtime, "leaving");
    runtime.leaveBy = performance.now() + LEAVE_MS;
    runtime.handle.send({ type: "shutdown" });
  }

  #exited(runtime: Runtime, exit: RuntimeExit): void {
    if (runtime.state === "gone") return;
    const { lane, restoring, work } = runtime;
    const before = this.#runtimes.enter(runtime, "gone");
    runtime.work = null;
    this.#options.release(lane.ready.deployment.contentHash);
    if (before === "restoring" && restoring) {
      const error = exit.startError ?? new Error("its process ended at once");
      this.#options.onRestoreFailed(error);
      restoring.restoreFailed(error.message);
    }
    if (before === "starting" && !this.#closing) this.#didNotStart(runtime, exit);
    // The run of a runtime that is being saved is already suspended.
    if (before === "busy") work?.died(exit);
    if (this.#runtimes.size === 0) this.#onEmpty?.();
    if (this.#closing) return;
    this.#serve(lane);
    this.#startSoon();
    this.#options.onChange();
  }

  #didNotStart({ broken, lane }: Runtime, exit: RuntimeExit): void {
    if (exit.startError !== undefined) {
      const { message } = exit.startError;
      this.#guard.failed(message);
      const entry = lane.waiting[0];
      if (entry && !entry.work.startFailed(message)) lane.waiting.shift();
      return;
    }
    lane.unloadable = true;
    if (broken) {
      // Another start would fail with the same bundle.
      for (const { work } of lane.waiting.splice(0)) work.broken(broken.message, broken.stackTrace);
      return;
    }
    // It ended while it loaded the bundle, and the run for which it was started ends in the same way.
    lane.waiting.shift()?.work.died(exit);
  }

  #sweep(): void {
    const now = performance.now();
    for (const runtime of this.#runtimes) {
      const isStarting = runtime.state === "starting" || runtime.state === "restoring";
      if (runtime.leaveBy < now) runtime.kill();
      if (isStarting && now - runtime.startedAt > START_MS) {
        const message = `The bundle was not loaded within ${START_MS} ms`;
        runtime.broken ??= { type: "broken", message };
        runtime.kill();
      }
    }
    if (this.#warm) this.#warm.usedAt = now;
    this.#startWarm();
    for (const lane of this.#lanes) {
      this.#expire(lane, now);
      this.#startSpares(lane, now);
      this.#lanes.removeUnused(lane, now, this.#options.idleMs);
    }
  }

  #expire(lane: Lane, now: number): void {
    for (const runtime of [...lane.idle]) {
      const facts = {
        idleForMs: now - runtime.idleSince,
        idleOfLane: lane.idle.length,
        laneUnusedMs: now - lane.usedAt,
      };
      if (isExpired(facts, this.#options)) this.#leave(runtime);
    }
  }

  #startWarm(): void {
    const lane = this.#warm;
    if (!lane || lane.idle.length + lane.starting > 0 || lane.unloadable || !this.#canStart) return;
    const now = performance.now();
    if (now - this.#warmedAt < WARM_AGAIN_MS) return;
    if (!this.#runtimes.hasRoomFor(this.#options.executor.cost(lane.machine))) return;
    this.#warmedAt = now;
    this.#start(lane);
  }

  #startSpares(lane: Lane, now: number): void {
    const { executor, idleMs, spares } = this.#options;
    const missing = spares - lane.idle.length - lane.starting;
    if (missing <= 0 || lane.waiting.length > 0 || lane.unloadable || !this.#canStart) return;
    // All are busy with long runs, so a spare is started: the next run should not wait for a start.
    if (lane.busy === 0 || now - lane.usedAt > idleMs) return;
    if (this.#runtimes.hasRoomFor(executor.cost(lane.machine))) this.#start(lane);
  }
}
