import { randomUUID } from "node:crypto";
import { HOST_PROTOCOL, type LogEntry, type RunLogs } from "@acme/sdk/contract";
import { ApiError, type HostApi, reportBody } from "./api.ts";
import { backoffMs, sleep } from "./backoff.ts";
import { messageOf } from "./errors.ts";
import type { HostLog } from "./log.ts";
import type { Session } from "./session.ts";

/** Characters that wait at most. What comes above it is dropped and counted: a chatty run must not take the host down. */
const MAX_WAITING = 16 * 1024 * 1024;
/** The most that one run may have of that. */
const MAX_WAITING_OF_RUN = 2 * 1024 * 1024;
const MAX_BATCH = 1024 * 1024;
/** Lets the entries of a moment go together. */
const GATHER_MS = 20;
/** An outage may take this many tries; then the logs of that batch are given up. */
const MAX_TRIES = 20;

/** Whose logs they are. `apiToken`: the latest of the lease. */
export interface LogSource {
  runId: string;
  attempt: number;
  apiToken: string | undefined;
}

interface Waiting extends LogSource {
  entries: LogEntry[];
  size: number;
  dropped: number;
}

export interface LogSenderOptions {
  api: Pick<HostApi, "report">;
  session: Session;
  log: HostLog;
  onDropped(entries: number): void;
}

/** Sends the logs of runs, beside the reports that matter more: they never hold up an outcome. */
export class LogSender {
  readonly #options: LogSenderOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #aborted = new AbortController();
  readonly #sender = randomUUID();
  #size = 0;
  #batches = 0;
  #sending: Promise<void> | undefined;

  constructor(options: LogSenderOptions) {
    this.#options = options;
  }

  /** `size`: characters of the entries' JSON. */
  add(source: LogSource, entries: LogEntry[], size: number): void {
    const key = `${source.runId} ${source.attempt}`;
    let waiting = this.#waiting.get(key);
    if (!waiting) {
      waiting = { ...source, entries: [], size: 0, dropped: 0 };
      this.#waiting.set(key, waiting);
    }
    waiting.apiToken = source.apiToken;
    if (this.#size + size > MAX_WAITING || waiting.size + size > MAX_WAITING_OF_RUN) {
      waiting.dropped += entries.length;
      this.#options.onDropped(entries.length);
    } else {
      for (const entry of entries) waiting.entries.push(entry);
      waiting.size += size;
      this.#size += size;
    }
    if (!this.#aborted.signal.aborted)
      this.#sending ??= this.#send().finally(() => {
        this.#sending = undefined;
      });
  }

  /** Characters that wait. */
  get size(): number {
    return this.#size;
  }

  /** Resolves when all is sent, or after `timeoutMs`. */
  async drained(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.#sending && performance.now() < deadline) await sleep(5);
  }

  stop(): void {
    this.#aborted.abort();
  }

  async #send(): Promise<void> {
    await sleep(GATHER_MS, this.#aborted.signal);
    while (this.#waiting.size > 0 && !this.#aborted.signal.aborted) await this.#sendBatch(this.#take());
  }

  #take(): RunLogs[] {
    const taken: RunLogs[] = [];
    const number = this.#batches++;
    let size = 0;
    for (const [key, waiting] of this.#waiting) {
      if (size > 0 && size + waiting.size > MAX_BATCH) break;
      size += waiting.size;
      this.#waiting.delete(key);
      const { runId, attempt, apiToken, entries, dropped } = waiting;
      if (dropped > 0) {
        const message = `${dropped} log entries were dropped here: the run logs faster than they can be sent`;
        entries.push({ time: Date.now(), level: "warn", message });
      }
      // A feed that has this batch already skips it: an answer may be lost.
      const batch = { sender: `${this.#sender} ${attempt}`, number };
      taken.push({ runId, attempt, apiToken, entries, batch });
    }
    this.#size -= size;
    return taken;
  }

  async #sendBatch(logs: RunLogs[]): Promise<void> {
    const { api, session, log, onDropped } = this.#options;
    const { hostId, sessionId } = session;
    let left = logs;
    for (let tries = 1; !this.#aborted.signal.aborted; tries++) {
      try {
        const body = reportBody({ protocol: HOST_PROTOCOL, hostId, sessionId, logs: left });
        const verdicts = (await api.report(body, this.#aborted.signal)).logs;
        session.heard();
        this.#refused(left.filter((_, index) => verdicts[index] === "refused"));
        left = left.filter((_, index) => verdicts[index] === "retry");
        if (left.length === 0) return;
        throw new Error("their feeds could not be reached");
      } catch (error) {
        if ((error instanceof ApiError && error.isFinal) || tries >= MAX_TRIES) {
          const entries = countOf(left);
          log.warn(`${entries} log entries of ${left.length} runs could not be sent: ${messageOf(error)}`);
          onDropped(entries);
          return;
        }
        await sleep(backoffMs(tries), this.#aborted.signal);
      }
    }
  }

  #refused(logs: RunLogs[]): void {
    if (logs.length === 0) return;
    this.#options.log.warn(`The server refused ${countOf(logs)} log entries of ${logs[0]?.runId} and others`);
    this.#options.onDropped(countOf(logs));
  }
}

const countOf = (logs: RunLogs[]): number => logs.reduce((sum, run) => sum + run.entries.length, 0);
