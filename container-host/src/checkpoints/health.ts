import { HangError, messageOf } from "../errors.ts";
import type { HostLog } from "../log.ts";
import { orLate } from "../or-late.ts";
import { type CheckpointEvent, type CheckpointGate, nextGate } from "./gate.ts";

export interface SelfTestResult {
  saveMs: number;
  restoreMs: number;
}

export interface CheckpointHealthOptions {
  log: HostLog;
  /** Saves and restores an idle runtime. Absent: processes are saved and restored without a test. */
  selfTest?(): Promise<SelfTestResult>;
  /** Called when a save or a restore misses its deadline. */
  onHang(step: "save" | "restore"): void;
}

/** How often a pause is checked for its end. */
const TICK_MS = 1_000;

/**
 * Decides whether this host saves and restores processes, and tests it when the host starts and after a
 * pause.
 */
export class CheckpointHealth {
  readonly #options: CheckpointHealthOptions;
  #gate: CheckpointGate;
  #settled = Promise.withResolvers<void>();
  #ticker: NodeJS.Timeout | undefined;
  #lastFailure: string | undefined;
  #isStopped = false;

  constructor(options: CheckpointHealthOptions) {
    this.#options = options;
    this.#gate = options.selfTest ? { state: "testing", lateTests: 0 } : { state: "open", hangs: 0 };
  }

  get state(): CheckpointGate["state"] {
    return this.#gate.state;
  }

  /** Returns why processes are neither saved nor restored; undefined while they are. */
  get problem(): string | undefined {
    if (this.#gate.state === "testing") return "checkpoints are still being tested on this host";
    return this.#gate.state === "paused"
      ? `checkpoints are paused on this host: ${this.#gate.reason}`
      : undefined;
  }

  start(): void {
    this.#ticker = setInterval(() => this.#apply({ type: "tick" }), TICK_MS);
    if (this.#gate.state === "testing") void this.#test();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#ticker);
    this.#settled.resolve();
  }

  worked(): void {
    this.#apply({ type: "worked" });
  }

  /**
   * Counts a failed save or restore if it missed its deadline; other failures say nothing about the Engine.
   */
  failed(step: "save" | "restore", error: unknown): void {
    if (!(error instanceof HangError)) return;
    this.#options.onHang(step);
    this.#apply({ type: "hung", reason: error.message });
  }

  /** Resolves once no self-test is running, or after `timeoutMs`. */
  async tested(timeoutMs: number): Promise<void> {
    if (this.#gate.state !== "testing") return;
    await orLate(this.#settled.promise, timeoutMs);
  }

  #apply(event: CheckpointEvent): void {
    if (this.#isStopped) return;
    const before = this.#gate;
    const now = performance.now();
    this.#gate = nextGate(before, event, now);
    if (this.#gate.state === before.state) return;
    if (this.#gate.state === "testing") {
      this.#settled = Promise.withResolvers();
      void this.#test();
      return;
    }
    if (before.state === "testing") this.#settled.resolve();
    if (this.#gate.state !== "paused") return;
    const { reason, until } = this.#gate;
    if (reason !== this.#lastFailure)
      this.#options.log.warn(
        `Suspended runs are replayed, and no process is saved or restored before a self-test in ${Math.round((until - now) / 1_000)} s: ${reason}`,
      );
    this.#lastFailure = reason;
  }

  async #test(): Promise<void> {
    const { log, onHang, selfTest } = this.#options;
    if (!selfTest) {
      this.#apply({ type: "worked" });
      return;
    }
    try {
      const { restoreMs, saveMs } = await tryTwice(selfTest);
      log.info(
        `Processes are saved and restored: a self-test saved one in ${Math.round(saveMs)} ms and restored it in ${Math.round(restoreMs)} ms`,
      );
      this.#lastFailure = undefined;
      this.#apply({ type: "worked" });
    } catch (error) {
      const isLate = error instanceof HangError;
      if (isLate) onHang(error.step);
      this.#apply({ type: "test-failed", reason: `a self-test failed (${messageOf(error)})`, isLate });
    }
  }
}

/**
 * If two hosts of one Engine save at the same time, one of the saves can fail (containerd: "already exists"),
 * which says nothing about the machine. A missed deadline does.
 */
async function tryTwice<T>(test: () => Promise<T>): Promise<T> {
  try {
    return await test();
  } catch (error) {
    if (error instanceof HangError) throw error;
    return test();
  }
}
