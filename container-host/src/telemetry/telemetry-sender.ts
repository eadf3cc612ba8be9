import { HOST_PROTOCOL } from "@acme/sdk/contract";
import { ApiError, type HostApi } from "../api.ts";
import { backoffMs, sleep } from "../backoff.ts";
import { messageOf } from "../errors.ts";
import type { HostLog } from "../log.ts";
import type { Session } from "../session.ts";
import type { Counts, DiskBuffer, TelemetrySource, Waiting } from "./disk-buffer.ts";

const MAX_BATCH = 1024 * 1024;
/** How long entries are gathered so that they are sent together. */
const GATHER_MS = 20;
const RETRY = { firstMs: 200, maxMs: 10_000 };

export interface TelemetrySenderOptions {
  api: Pick<HostApi, "report">;
  session: Session;
  log: HostLog;
  buffer: DiskBuffer;
  onDropped(counts: Counts): void;
}

/**
 * Sends logs, spans and metrics of runs from the buffer on disk, separately from the more important reports,
 * so that they never delay an outcome. Everything is sent until it is acknowledged, and the lines of one run
 * in their order.
 */
export class TelemetrySender {
  readonly #options: TelemetrySenderOptions;
  readonly #aborted = new AbortController();
  #sending: Promise<void> | undefined;
  #failures = 0;
  /** The number of tries of runs whose records could not be stored. */
  readonly #retries = new Map<string, number>();

  constructor(options: TelemetrySenderOptions) {
    this.#options = options;
    if (!options.buffer.isEmpty) this.#schedule();
  }

  /** The data is on disk when this returns. */
  add(source: TelemetrySource, records: Parameters<DiskBuffer["add"]>[1]): void {
    this.#options.buffer.add(source, records);
    this.#schedule();
  }

  /** The number of waiting bytes. */
  get size(): number {
    return this.#options.buffer.bytes;
  }

  /** Resolves when everything is sent, or after `timeoutMs`. */
  async drained(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.#sending && performance.now() < deadline) await sleep(5);
  }

  stop(): void {
    this.#aborted.abort();
    this.#options.buffer.close();
  }

  #schedule(): void {
    if (this.#aborted.signal.aborted) return;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    const { signal } = this.#aborted;
    const { buffer } = this.#options;
    await sleep(GATHER_MS, signal);
    while (!buffer.isEmpty && !signal.aborted) {
      const lines = buffer.take(MAX_BATCH, performance.now());
      if (lines.length === 0) await sleep(Math.max(5, buffer.dueAt - performance.now()), signal);
      else if (!(await this.#send(lines))) await sleep(backoffMs(this.#failures, RETRY), signal);
    }
  }

  /** Returns false if the server did not take it, so that it has to be retried later. */
  async #send(lines: Waiting[]): Promise<boolean> {
    const { api, buffer, session, log } = this.#options;
    const { hostId, sessionId } = session;
    const head = JSON.stringify({ protocol: HOST_PROTOCOL, hostId, sessionId });
    const body = `${head.slice(0, -1)},"logs":[${lines.map((line) => buffer.read(line)).join(",")}]}`;
    let verdicts: ("ok" | "refused" | "retry")[];
    try {
      verdicts = (await api.report(body, this.#aborted.signal)).logs;
      session.heard();
      this.#failures = 0;
    } catch (error) {
      if (this.#aborted.signal.aborted) return false;
      if (error instanceof ApiError && error.isFinal) return this.#refused(lines, error);
      this.#failures += 1;
      if (this.#failures === 1 || this.#failures % 20 === 0)
        log.warn(
          `Telemetry could not be sent (${this.#failures}×), ${buffer.bytes} bytes of it wait on disk: ${messageOf(error)}`,
        );
      return false;
    }
    this.#settle(lines, verdicts);
    return true;
  }

  /**
   * Lines after one that has to be sent again are sent again too, because a feed accepts the lines of a run
   * only in their order.
   */
  #settle(lines: Waiting[], verdicts: ("ok" | "refused" | "retry")[]): void {
    const { buffer } = this.#options;
    const again = new Set<string>();
    const done: Waiting[] = [];
    const refused: Waiting[] = [];
    for (const [index, line] of lines.entries()) {
      const verdict = verdicts[index] ?? "retry";
      if (verdict === "retry" || again.has(line.runId)) {
        again.add(line.runId);
        continue;
      }
      done.push(line);
      this.#retries.delete(line.runId);
      if (verdict === "refused") refused.push(line);
    }
    buffer.done(done);
    for (const runId of again) {
      const retries = (this.#retries.get(runId) ?? 0) + 1;
      this.#retries.set(runId, retries);
      buffer.delay(runId, performance.now() + backoffMs(retries, RETRY));
    }
    if (refused.length > 0) this.#drop(refused, "the server says that this host did not hold these runs");
  }

  /** The server refuses the request itself: one bad line must not delay the others. */
  async #refused(lines: Waiting[], error: ApiError): Promise<boolean> {
    const [line] = lines;
    if (lines.length === 1 && line) {
      this.#options.buffer.done(lines);
      this.#drop(lines, error.message);
      return true;
    }
    for (const one of lines) if (!(await this.#send([one]))) return false;
    return true;
  }

  #drop(lines: Waiting[], why: string): void {
    const counts = { logs: 0, spans: 0, metrics: 0 };
    for (const line of lines)
      for (const kind of ["logs", "spans", "metrics"] as const) counts[kind] += line[kind];
    this.#options.log.warn(
      `${counts.logs} log entries, ${counts.spans} spans and ${counts.metrics} metric points were dropped: ${why}`,
      { run: lines[0]?.runId, runs: new Set(lines.map(({ runId }) => runId)).size },
    );
    this.#options.onDropped(counts);
  }
}
