import type { JournalEntry, OperationResult, RunResume, SegmentValues } from "../contract/journal.ts";
import type { RuntimeToHost } from "../contract/runtime-protocol.ts";
import type { TaskWait } from "../define/hook-types.ts";
import type { RecordSettings } from "../run/state.ts";
import type { DurableScope, OperationCall } from "../wait/durable.ts";
import { ActivityReporter, type Waits } from "./activity-reporter.ts";
import type { Attempt } from "./attempt.ts";
import { JournalWriter } from "./journal-writer.ts";
import { mismatchOf, type NonDeterministicError } from "./non-determinism.ts";
import { type OperationState, PendingOperation } from "./pending-operation.ts";
import { realNow } from "./real-clock.ts";
import { Recorder } from "./recorder.ts";
import { ResultQueue } from "./result-queue.ts";
import { runContext } from "./run-context.ts";
import { sourceLocation } from "./source-location.ts";
import type { AttemptTelemetry } from "./telemetry/attempt-telemetry.ts";

const MAX_NAME = 512;

const NO_ENTRIES: readonly JournalEntry[] = [];
const NONE_BY_NUMBER: ReadonlyMap<number, JournalEntry> = new Map();
const NO_NUMBERS: ReadonlySet<number> = new Set();

/** What a journal needs of its attempt. */
export interface JournalOwner {
  readonly self: Attempt;
  readonly runId: string;
  readonly attempt: number;
  readonly telemetry: Pick<AttemptTelemetry, "operationBegins" | "operationEnds" | "within">;
  /** Fences messages; changes when the run is resumed after a suspension. */
  token(): number;
  send(message: RuntimeToHost): void;
  /** The replay differed from the journal: the attempt fails with this error. */
  failed(error: NonDeterministicError): void;
  /** Calls the hooks of a kind; undefined if there are none. */
  callWaitHooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> | undefined;
}

/**
 * `running`: operations start, end, and their results are handed out to the task's code. `frozen`: the run is
 * suspended in memory. Results are kept, and nothing is started, handed out or sent until it thaws.
 * `stopped`: the attempt is being ended (canceled, timed out, not deterministic). Every pending operation was
 * rejected with the reason, and new ones are not recorded.
 * `ended`: the attempt is over. Nothing happens any more.
 */
type Phase = "running" | "frozen" | "stopped" | "ended";

/** Phases that can follow; everything else is ignored, as is entering the phase that it is in. */
const NEXT: Record<Phase, readonly Phase[]> = {
  running: ["frozen", "stopped", "ended"],
  frozen: ["running", "stopped", "ended"],
  stopped: ["ended"],
  ended: [],
};

/**
 * The operations of one attempt: numbers them in the order of their calls, returns the recorded result of
 * those that the journal has, performs the others and reports them to the host, and knows whether the run
 * only waits.
 *
 * The parts: `JournalWriter` sends entries, `ResultQueue` decides which result is handed out next, `Recorder`
 * keeps the non-deterministic values that plain code reads, `ActivityReporter` reports whether the run only
 * waits. States of an operation: `OperationState`.
 */
export class Journal implements DurableScope {
  readonly recorder: Recorder;
  readonly #owner: JournalOwner;
  readonly #writer: JournalWriter;
  readonly #results: ResultQueue;
  readonly #activity: ActivityReporter;
  /** Entries by number: those that the attempt is resumed with, and its own. */
  readonly #entries: Map<number, JournalEntry>;
  readonly #pending = new Map<number, PendingOperation>();
  /** How many operations were started. */
  #calls = 0;
  /** How many other things of the SDK are in progress. */
  #busy = 0;
  /** Results handed out since the last operation started. */
  #handedOut: number[] = [];
  /** Results that the journal says were handed out already. */
  readonly #handedOutBefore: ReadonlySet<number>;
  #phase: Phase = "running";
  #stopReason: unknown;
  /** Pending while the journal is frozen; undefined before it was frozen first. */
  #thaw: PromiseWithResolvers<void> | undefined;
  #isFlushScheduled = false;

  constructor(owner: JournalOwner, resume: RunResume | null | undefined, record: RecordSettings) {
    this.#owner = owner;
    const journal = resume?.journal ?? NO_ENTRIES;
    // Most runs are not resumed, and many have no operations: they share what stays empty.
    const resumed = journal.length === 0 ? NONE_BY_NUMBER : new Map(journal.map((e) => [e.number, e]));
    this.#entries = new Map();
    for (const [number, entry] of resumed) this.#entries.set(number, { ...entry });
    this.#handedOutBefore = journal.length === 0 ? NO_NUMBERS : handedOutIn(resumed.values());
    this.recorder = new Recorder(record, resumed);
    this.#results = new ResultQueue(resumed.values());
    const { runId, attempt } = owner;
    this.#writer = new JournalWriter(({ seq, entries }) =>
      owner.send({ type: "journal", runId, token: owner.token(), attempt, seq, entries }),
    );
    this.#activity = new ActivityReporter((waits) => {
      const token = owner.token();
      owner.send(waits ? { type: "waiting", runId, token, waits } : { type: "working", runId, token });
    });
  }

  /**
   * True until everything in the journal has happened again: logs and metadata of that part were sent before.
   */
  get replaying(): boolean {
    return this.#results.replaying;
  }

  get inside(): string | undefined {
    return runContext.getStore()?.inside;
  }

  get stopped(): unknown {
    return this.#stopReason;
  }

  inner<T>(name: string, fn: () => T): T {
    const inside = runContext.getStore()?.inside ?? name;
    return runContext.run({ attempt: this.#owner.self, inside }, fn);
  }

  async busy<T>(fn: () => Promise<T>): Promise<T> {
    this.#busy++;
    this.#scheduleFlush();
    try {
      return await fn();
    } finally {
      this.#busy--;
      this.#scheduleFlush();
    }
  }

  operation<T>(call: OperationCall<T>): Promise<T> {
    const number = this.#calls++;
    const { kind, target, until } = call;
    const called: JournalEntry = {
      number,
      kind,
      name: call.name.slice(0, MAX_NAME),
      location: call.site && sourceLocation(call.site),
      target,
      until,
      startedAt: realNow(),
      values: { ...this.recorder.endSegment(), after: this.#handedOut },
    };
    this.#handedOut = [];
    const known = this.#entries.get(number);
    const mismatch = known && mismatchOf(known, called);
    if (mismatch) {
      this.stop(mismatch);
      this.#owner.failed(mismatch);
      return Promise.reject(mismatch);
    }
    const entry: JournalEntry = known ? { ...called, ...withoutUndefined(known) } : called;
    this.#entries.set(number, entry);
    this.#owner.telemetry.operationBegins(entry);
    // An entry that is known only because its operation was claimed lacks what the runtime knows.
    if (!known?.values) this.#write(entry);
    const promise = new Promise<T>((resolve, reject) => {
      const read = async (result: OperationResult) => call.read(result, entry.target);
      const operation = new PendingOperation(entry, read, resolve as (value: unknown) => void, reject);
      this.#pending.set(number, operation);
      if (entry.result) {
        // A result that arrived after the process had ended resumes the run now.
        if (!this.#handedOutBefore.has(number)) operation.notifiedWait = call.wait?.(entry);
        this.#read(operation, entry.result);
      } else if (call.start) void this.#start(operation, call, call.start, known !== undefined);
      else this.#wait(operation, call, known !== undefined);
    });
    this.#handOutReady();
    return promise;
  }

  /** The host reports the result of an operation. Ignored if the journal has a result already. */
  completed(number: number, result: OperationResult): void {
    const entry = this.#entries.get(number);
    if (entry?.result) return;
    if (entry) entry.result = result;
    const operation = this.#pending.get(number);
    if (operation?.state === "waiting") this.#read(operation, result);
  }

  /** Journal messages up to `seq` are durable. */
  journaled(seq: number): void {
    this.#writer.journaled(seq);
  }

  /** Numbers of the operations that the run waits for; undefined if it does anything else too. */
  onlyWaits(): number[] | undefined {
    if (this.#busy > 0 || this.replaying || this.#phase === "stopped" || this.#phase === "ended")
      return undefined;
    const operations = [...this.#pending.values()];
    if (operations.length === 0 || operations.some(({ state }) => state !== "waiting")) return undefined;
    return operations.map(({ entry }) => entry.number);
  }

  /**
   * The host is being answered whether the run can be suspended: until `answered`, nothing else is reported
   * about that.
   */
  answering(): void {
    this.#activity.pause();
  }

  /** The host has the answer: the run works, or it is frozen. */
  answered(): void {
    this.#activity.resume();
    this.#scheduleFlush();
  }

  /** Suspends the run in memory. Everything there is to send is sent before. */
  freeze(): void {
    this.#writeTail();
    this.#writer.flush();
    this.#enter("frozen");
  }

  /** Resumes after `freeze`, at whatever time it is now. */
  resume(): void {
    if (!this.#enter("running")) return;
    this.#activity.resume();
    for (const operation of this.#pending.values()) {
      if (operation.state === "waiting" && operation.isWait) this.#startTimer(operation);
    }
    this.#handOutReady();
    this.#scheduleFlush();
  }

  /** Ends the attempt: pending operations throw `reason`, and nothing is recorded any more. */
  stop(reason: unknown): void {
    if (!this.#enter("stopped")) return;
    this.#stopReason = reason;
    for (const operation of this.#pending.values()) operation.fail(reason);
    this.#pending.clear();
    this.#scheduleFlush();
  }

  /** The attempt is over. Leaves no timer behind. */
  end(): void {
    if (this.#phase !== "frozen") this.#writer.flush();
    if (this.#enter("ended")) this.#pending.clear();
  }

  /** The only place that changes the phase. Returns false if it cannot follow, or is the phase already. */
  #enter(phase: Phase): boolean {
    if (!NEXT[this.#phase].includes(phase)) return false;
    this.#phase = phase;
    if (phase === "frozen") this.#thaw = Promise.withResolvers<void>();
    else this.#thaw?.resolve();
    if (phase !== "running") for (const operation of this.#pending.values()) operation.clearTimer();
    if (phase === "stopped" || phase === "ended") this.#results.clear();
    return true;
  }

  /** The only place that changes an operation's state. */
  #become(operation: PendingOperation, state: OperationState): void {
    operation.state = state;
    if (state !== "waiting") operation.clearTimer();
    this.#scheduleFlush();
  }

  async #start<T>(
    operation: PendingOperation,
    call: OperationCall<T>,
    start: NonNullable<OperationCall<T>["start"]>,
    knownBefore: boolean,
  ): Promise<void> {
    const { entry } = operation;
    const { runId, attempt } = this.#owner;
    const known = entry.target;
    await this.busy(async () => {
      await this.#thaw?.promise;
      const id = `${runId}.${attempt}.${entry.number}`;
      const started = await this.#owner.telemetry.within(entry, () =>
        this.inner(nameOf(entry), () => start({ id, target: known, known: knownBefore })),
      );
      if (started.target !== undefined && entry.target === undefined) {
        entry.target = started.target;
        if (!started.result) this.#write(entry);
      }
      // What was created before cannot fail to be created.
      const failedAgain = known !== undefined && started.result?.ok === false;
      if (started.result && !entry.result && !failedAgain) {
        this.#finish(entry, started.result);
        if (call.durable) await this.#writer.durable();
      }
    });
    if (entry.result) this.#read(operation, entry.result);
    else this.#wait(operation, call, knownBefore);
  }

  #wait<T>(operation: PendingOperation, call: OperationCall<T>, knownBefore: boolean): void {
    if (this.#phase === "stopped" || this.#phase === "ended") return;
    this.#become(operation, "waiting");
    const wait = call.wait?.(operation.entry);
    operation.notifiedWait = wait;
    // Hooks that were notified before the process ended are notified of the end only.
    if (wait && !knownBefore) void this.#callHooks("onWait", wait);
    if (operation.isWait && this.#phase === "running") this.#startTimer(operation);
  }

  #startTimer(operation: PendingOperation): void {
    operation.startTimer(() => {
      const result = { ok: true } as const;
      this.#finish(operation.entry, result);
      this.#read(operation, result);
    });
  }

  #callHooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> | undefined {
    const calling = this.inner(`the ${kind} hook`, () => this.#owner.callWaitHooks(kind, wait));
    return calling && this.busy(() => calling);
  }

  #finish(entry: JournalEntry, result: OperationResult): void {
    entry.result = result;
    entry.completedAt = realNow();
    this.#write(entry);
  }

  /** The operation has a result: it is handed out when it is decoded and its turn has come. */
  #read(operation: PendingOperation, result: OperationResult): void {
    const { number } = operation.entry;
    if (this.#pending.get(number) !== operation) return;
    this.#become(operation, "reading");
    void this.busy(async () => {
      try {
        const value = await this.inner("the SDK", () => operation.read(result));
        operation.outcome = { ok: true, value };
      } catch (error) {
        operation.outcome = { ok: false, error };
      }
      this.#setReady(operation);
    });
  }

  #setReady(operation: PendingOperation): void {
    this.#become(operation, "ready");
    if (this.#pending.get(operation.entry.number) === operation) this.#results.add(operation.entry.number);
    this.#handOutReady();
  }

  /** Hands out what is ready, in the order that the journal prescribes. */
  #handOutReady(): void {
    while (this.#phase === "running") {
      const number = this.#results.next(this.#calls, () => this.#handOutReady());
      const operation = number === undefined ? undefined : this.#pending.get(number);
      if (!operation) return;
      if (!this.#notifyOfResume(operation)) this.#handOut(operation);
    }
  }

  /** Returns true if hooks are called first; the result is ready again when they are done. */
  #notifyOfResume(operation: PendingOperation): boolean {
    const hooks = operation.notifiedWait && this.#callHooks("onResume", operation.notifiedWait);
    if (!hooks) return false;
    operation.notifiedWait = undefined;
    this.#become(operation, "notifying");
    void hooks.then(() => this.#setReady(operation));
    return true;
  }

  #handOut(operation: PendingOperation): void {
    const { number } = operation.entry;
    this.#pending.delete(number);
    this.#owner.telemetry.operationEnds(operation.entry, !this.#handedOutBefore.has(number));
    this.#handedOut.push(number);
    this.#scheduleFlush();
    operation.handOut();
  }

  #write(entry: JournalEntry): void {
    this.#writer.add(entry);
    this.#scheduleFlush();
  }

  /**
   * Adds what is recorded since the last operation started to that operation's entry: if the process ends
   * now, there is no other operation that would carry it.
   */
  #writeTail(): void {
    const entry = this.#entries.get(this.#calls - 1);
    if (!entry || this.#phase !== "running" || this.replaying) return;
    const recorded = this.recorder.current();
    if (!recorded && this.#handedOut.length === 0) return;
    const tail: SegmentValues = {
      ...recorded,
      ...(this.#handedOut.length > 0 && { after: [...this.#handedOut] }),
    };
    if (sizeOf(tail) === sizeOf(entry.values?.tail)) return;
    entry.values = { ...entry.values, tail };
    this.#writer.addValuesOf(entry);
  }

  /** What changes in one turn of the event loop is sent together. */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled || this.#phase === "ended") return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      if (this.#phase === "frozen" || this.#phase === "ended") return;
      const waits = this.#waits();
      // A run that only waits may be suspended, or lose its process: what it recorded is sent before.
      if (waits && this.#activity.isNews(waits)) this.#writeTail();
      this.#writer.flush();
      this.#activity.report(waits);
    });
  }

  #waits(): Waits | undefined {
    return this.onlyWaits()?.map((number) => {
      const { kind, until } = this.#entries.get(number) as JournalEntry;
      return { number, kind, until };
    });
  }
}

const handedOutIn = (entries: Iterable<JournalEntry>): Set<number> =>
  new Set([...entries].flatMap(({ values }) => [...(values?.after ?? []), ...(values?.tail?.after ?? [])]));

const nameOf = ({ kind, name }: JournalEntry): string =>
  `${kind === "step" ? "step" : `the ${kind} of`} "${name}"`;

/** How many values there are: a segment's lists only grow. */
const sizeOf = (values: SegmentValues | undefined): number =>
  Object.values(values ?? {}).reduce((sum, list) => sum + (list?.length ?? 0), 0);

const withoutUndefined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
