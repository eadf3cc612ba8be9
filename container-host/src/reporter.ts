import {
  type AttemptCompleted,
  type AttemptStarted,
  type CheckpointVerdict,
  HOST_PROTOCOL,
  internalError,
  type KeptCheckpoint,
  type LeaseVerdict,
  type RunSuspension,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import { ApiError, type HostApi } from "./api.ts";
import { backoffMs, sleep } from "./backoff.ts";
import { messageOf } from "./errors.ts";
import type { HostLog } from "./log.ts";
import {
  batchBody,
  emptyBatch,
  halves,
  type Lease,
  type Pending,
  type ReportBatch,
  type ReportedJournal,
  ReportQueue,
  sizeOf,
  unanswered,
} from "./report-queue.ts";
import type { Session } from "./session.ts";

/**
 * The wait before items of a run whose owner could not be reached are sent again. It doubles up to the
 * maximum.
 */
const RETRY = { firstMs: 200, maxMs: 10_000 };

/**
 * While other attempts run that may end soon, a report with fewer items than this is sent only this many
 * milliseconds after the previous one, because a call costs the server more than an item. A report that a run
 * waits for is sent at once.
 */
const GATHER_MS = 8;
const GATHER_ITEMS = 64;

export interface ReporterOptions {
  api: HostApi;
  session: Session;
  log: HostLog;
  /** How many attempts run. */
  executing(): number;
  /** The lease has ended, or the run was canceled, so that attempt has to stop. */
  onLost(lease: Lease, verdict: "stale" | "canceled"): void;
  /** The lease was renewed, with the next token for code inside the run. */
  onRenewed(lease: Lease, apiToken: string): void;
  /** The entries are durable. */
  onJournaled(journal: ReportedJournal): void;
  /** The server will never accept this journal, so the attempt can't continue. */
  onJournalRefused(journal: ReportedJournal, message: string): void;
  onSuspension(suspension: RunSuspension, verdict: SuspensionVerdict): void;
  onCheckpoint(kept: KeptCheckpoint, verdict: CheckpointVerdict): void;
  /** The milliseconds that a report took, and its number of items; null: it failed. */
  onReport(ms: number, items: number | null): void;
}

/**
 * Reports to the server in as few calls as possible: one call at a time, and everything that happens
 * meanwhile goes into the next. Everything is sent until it is acknowledged.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #queue = new ReportQueue();
  readonly #aborted = new AbortController();
  #scheduled = false;
  #sending: Promise<void> | undefined;
  /** Sends items again after their wait. */
  #retryTimer: NodeJS.Timeout | undefined;
  /** Ends the wait for more items; undefined if there is none. */
  #endGathering: (() => void) | undefined;
  #failures = 0;
  #lastReport = 0;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  started(item: AttemptStarted): void {
    this.#queue.started(item);
    this.#schedule();
  }

  completed(item: AttemptCompleted): void {
    this.#queue.completed(item);
    this.#schedule();
  }

  journal(item: ReportedJournal): void {
    this.#queue.journal(item);
    this.#schedule();
  }

  suspended(item: RunSuspension): void {
    this.#queue.suspended(item);
    this.#schedule();
  }

  heartbeats(leases: Lease[]): void {
    if (leases.length === 0) return;
    this.#queue.heartbeats(leases);
    this.#schedule();
  }

  checkpoints(kept: KeptCheckpoint[]): void {
    if (kept.length === 0) return;
    this.#queue.checkpoints(kept);
    this.#schedule();
  }

  /**
   * Returns the number of journals, completions and suspensions that are neither acknowledged nor in transit.
   */
  get unacknowledged(): number {
    return this.#queue.unacknowledged;
  }

  /** Returns the number of pending bytes of JSON. */
  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Resolves when everything was acknowledged, or after `timeoutMs`. */
  async drained(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while ((!this.#queue.isEmpty || this.#sending) && performance.now() < deadline) {
      this.#schedule();
      await sleep(5);
    }
  }

  /**
   * Ends the session at the server, so that runs still leased to this host are queued again at once. Best
   * effort.
   */
  async goodbye(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (let failures = 1; performance.now() < deadline; failures++) {
      try {
        await this.#call(emptyBatch(), true);
        return;
      } catch (error) {
        if (error instanceof ApiError && error.isFinal) return;
        await sleep(backoffMs(failures));
      }
    }
  }

  /** Stops sending. */
  stop(): void {
    this.#aborted.abort();
    clearTimeout(this.#retryTimer);
    this.#endGathering?.();
  }

  #schedule(): void {
    if (this.#scheduled || this.#aborted.signal.aborted) return;
    if (this.#sending && !this.#endGathering) return;
    this.#scheduled = true;
    // Lets the other completions of this turn of the event loop join.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#isGathered()) this.#endGathering?.();
      this.#sending ??= this.#sendAll().finally(() => {
        this.#sending = undefined;
      });
    });
  }

  #isGathered(): boolean {
    const { size, isAwaited } = this.#queue;
    return size >= GATHER_ITEMS || isAwaited || this.#options.executing() === 0;
  }

  async #gather(): Promise<void> {
    const early = this.#lastReport + GATHER_MS - performance.now();
    if (early <= 0 || this.#isGathered()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, early);
      this.#endGathering = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endGathering = undefined;
  }

  async #sendAll(): Promise<void> {
    while (!this.#aborted.signal.aborted) {
      const dueIn = this.#queue.dueIn(performance.now());
      if (dueIn === null) return;
      if (dueIn > 0) {
        clearTimeout(this.#retryTimer);
        this.#retryTimer = setTimeout(() => this.#schedule(), dueIn);
        return;
      }
      await this.#gather();
      this.#lastReport = performance.now();
      const batch = this.#queue.take(this.#lastReport, this.#failures);
      try {
        await this.#send(batch);
      } catch (error) {
        this.#queue.putBack(batch);
        if (this.#aborted.signal.aborted) return;
        this.#failures += 1;
        if (this.#failures === 1 || this.#failures % 20 === 0)
          this.#options.log.warn(`Reporting failed (${this.#failures}×): ${messageOf(error)}`);
        await sleep(backoffMs(this.#failures), this.#aborted.signal);
      }
    }
  }

  /** @throws Error if the server did not answer, so that the whole batch has to be sent again */
  async #send(batch: ReportBatch): Promise<void> {
    let verdicts: Awaited<ReturnType<HostApi["report"]>>;
    try {
      verdicts = await this.#call(batch, false);
    } catch (error) {
      if (error instanceof ApiError && error.isFinal) return this.#refused(batch, error);
      throw error;
    }
    this.#failures = 0;
    this.#pass(itemsOf(batch.started), verdicts.started);
    this.#pass(itemsOf(batch.journals), verdicts.journals);
    this.#pass(batch.heartbeats, verdicts.heartbeats);
    for (const [index, lease] of batch.heartbeats.entries()) {
      const apiToken = verdicts.apiTokens[index];
      if (apiToken) this.#options.onRenewed(lease, apiToken);
    }
    for (const [index, { item }] of batch.journals.entries())
      if (verdicts.journals[index] === "ok") this.#options.onJournaled(item);
    for (const [index, { item }] of batch.suspensions.entries()) {
      const verdict = verdicts.suspensions[index];
      if (verdict && verdict.verdict !== "retry") this.#options.onSuspension(item, verdict);
    }
    for (const [index, kept] of batch.checkpoints.entries())
      this.#options.onCheckpoint(kept, verdicts.checkpoints[index] ?? "keep");
    const again = unanswered(batch, verdicts);
    this.#queue.retry(again, performance.now(), (retries) => backoffMs(retries, RETRY));
  }

  #pass(leases: Lease[], verdicts: LeaseVerdict[]): void {
    for (const [index, lease] of leases.entries()) {
      const verdict = verdicts[index];
      if (verdict === "stale" || verdict === "canceled") this.#options.onLost(lease, verdict);
    }
  }

  /** The server refuses the report itself: one bad item must not delay the others. */
  async #refused(batch: ReportBatch, error: ApiError): Promise<void> {
    const parts = halves(batch);
    if (parts) {
      for (const [index, part] of parts.entries()) {
        try {
          await this.#send(part);
        } catch {
          // The server has become unreachable: everything that was not reported waits for its return.
          for (const rest of parts.slice(index).toReversed()) this.#queue.putBack(rest);
          this.#failures += 1;
          await sleep(backoffMs(this.#failures), this.#aborted.signal);
          return;
        }
      }
      return;
    }
    const completed = batch.completed[0]?.item;
    const journal = batch.journals[0]?.item;
    const suspension = batch.suspensions[0]?.item;
    const lease = completed ?? journal ?? suspension ?? batch.started[0]?.item ?? batch.heartbeats[0];
    this.#options.log.error(`The server refused a report about a run: ${error.message}`, {
      run: lease?.runId,
    });
    if (journal) this.#options.onJournalRefused(journal, error.message);
    // The run stays in memory.
    if (suspension) this.#options.onSuspension(suspension, { verdict: "resume", completed: [] });
    if (completed?.outcome.type !== "success") return;
    const message = `The server refused the result of the run: ${error.message}`;
    this.#queue.completed({
      ...completed,
      outcome: { type: "failure", error: internalError("TASK_OUTPUT_ERROR", message), retry: null },
    });
  }

  async #call(batch: ReportBatch, goodbye: boolean): ReturnType<HostApi["report"]> {
    const { api, onReport, session } = this.#options;
    const { hostId, sessionId } = session;
    const head = { protocol: HOST_PROTOCOL, hostId, sessionId, ...(goodbye ? { goodbye } : undefined) };
    const begun = performance.now();
    const items = sizeOf(batch);
    try {
      const answer = await api.report(batchBody(head, batch), this.#aborted.signal);
      session.heard();
      onReport(performance.now() - begun, items);
      return answer;
    } catch (error) {
      onReport(performance.now() - begun, null);
      throw error;
    }
  }
}

const itemsOf = <T>(list: Pending<T>[]): T[] => list.map(({ item }) => item);
