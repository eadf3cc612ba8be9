import type { JournalEntry, OperationResult, RunResume } from "../contract/journal.ts";
import type { RuntimeToHost } from "../contract/runtime-protocol.ts";
import type { TaskWait } from "../define/hook-types.ts";
import type { RecordSettings } from "../run/state.ts";
import type { DurableScope, OperationCall } from "../wait/durable.ts";
import type { Attempt } from "./attempt.ts";
import { mismatchOf, type NonDeterministicError } from "./non-determinism.ts";
import { realNow } from "./real-clock.ts";
import { Recorder } from "./recorder.ts";
import { ReplayOrder } from "./replay-order.ts";
import { runContext } from "./run-context.ts";
import { sourceLocation } from "./source-location.ts";

const MAX_NAME = 512;
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A replay that has a result to hand out, but whose code doesn't start what it started before, is given this long. */
const STALL_MS = 10_000;

/** What a journal needs of its attempt. */
export interface JournalOwner {
  readonly self: Attempt;
  readonly runId: string;
  readonly attempt: number;
  /** Fences messages; changes when the run goes on after a suspension. */
  readonly token: number;
  send(message: RuntimeToHost): void;
  /** The replay went another way than the journal: the attempt fails with this. */
  failed(error: NonDeterministicError): void;
  /** Calls the hooks of a kind; undefined: there are none. */
  callWaitHooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> | undefined;
}

/** An operation whose result the task's code has not got yet. */
interface Pending {
  readonly entry: JournalEntry;
  readonly read: (result: OperationResult) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** It is being started: what it creates is not known yet. */
  starting: boolean;
  /** It is only waited for. */
  waiting: boolean;
  /** What hooks were told: they are told the end too. */
  told: TaskWait | undefined;
  /** There is a result; it is being read. */
  arrived: boolean;
  outcome: { ok: true; value: unknown } | { ok: false; error: unknown } | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The operations of one attempt: numbers them, gives those that the journal has what they gave before, tells the host of
 * the others, and knows whether the run only waits.
 */
export class Journal implements DurableScope {
  readonly recorder: Recorder;
  readonly #owner: JournalOwner;
  readonly #known: Map<number, JournalEntry>;
  readonly #order: ReplayOrder;
  readonly #pending = new Map<number, Pending>();
  /** Pending ones with an outcome, in the order they got it. */
  readonly #ready = new Set<number>();
  #calls = 0;
  #busy = 0;
  /** Results handed out since the last operation started. */
  #handedOut: number[] = [];
  /** Those that the journal says were handed out. */
  readonly #handedOutBefore: Set<number>;
  #stopped: unknown;
  #ended = false;
  #answering = false;
  #frozen = false;
  /** Pending while it is frozen. */
  #thaw: Promise<void> | undefined;
  #onThaw: (() => void) | undefined;
  #stall: ReturnType<typeof setTimeout> | undefined;
  /** Entries to send, by number. */
  #unsent = new Map<number, JournalEntry>();
  readonly #sent = new Set<number>();
  #seq = 0;
  #durableSeq = 0;
  #awaitingDurable: { seq: number; resolve: () => void }[] = [];
  #scheduled = false;
  /** Numbers that the host was told the run waits for; undefined: it was told that it works. */
  #toldWaits: string | undefined;

  constructor(owner: JournalOwner, resume: RunResume | null | undefined, record: RecordSettings) {
    this.#owner = owner;
    this.#known = new Map(resume?.journal.map((entry) => [entry.number, { ...entry }]));
    this.#order = new ReplayOrder(this.#known.values());
    this.#handedOutBefore = new Set([...this.#known.values()].flatMap(({ values }) => values?.after ?? []));
    this.recorder = new Recorder(record, new Map(this.#known));
  }

  /** What the journal has was not done again entirely: logs and metadata of this part were sent before. */
  get replaying(): boolean {
    return !this.#order.done;
  }

  get inside(): string | undefined {
    return runContext.getStore()?.inside;
  }

  get stopped(): unknown {
    return this.#stopped;
  }

  inner<T>(name: string, fn: () => T): T {
    const inside = runContext.getStore()?.inside ?? name;
    return runContext.run({ attempt: this.#owner.self, inside }, fn);
  }

  async busy<T>(fn: () => Promise<T>): Promise<T> {
    this.#busy++;
    this.#schedule();
    try {
      return await fn();
    } finally {
      this.#busy--;
      this.#schedule();
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
    const known = this.#known.get(number);
    const mismatch = known && mismatchOf(known, called);
    if (mismatch) {
      this.stop(mismatch);
      this.#owner.failed(mismatch);
      return Promise.reject(mismatch);
    }
    const entry: JournalEntry = known ? { ...called, ...withoutUndefined(known) } : called;
    this.#known.set(number, entry);
    // An entry that only its claim made known lacks what this side knows.
    if (!known?.values) this.#tell(entry);
    const promise = new Promise<T>((resolve, reject) => {
      const pending: Pending = {
        entry,
        read: async (result) => call.read(result, entry.target),
        resolve: resolve as (value: unknown) => void,
        reject,
        starting: false,
        waiting: false,
        // A result that came after the process had ended resumes the run now.
        told: entry.result && !this.#handedOutBefore.has(number) ? call.wait?.(entry) : undefined,
        arrived: false,
        outcome: undefined,
        timer: undefined,
      };
      this.#pending.set(number, pending);
      if (entry.result) this.#arrive(pending, entry.result);
      else if (call.start) void this.#start(pending, call, call.start, known !== undefined);
      else this.#wait(pending, call, known !== undefined);
    });
    this.#pump();
    return promise;
  }

  /** An operation is over, as the host says. */
  completed(number: number, result: OperationResult): void {
    const entry = this.#known.get(number);
    if (entry?.result) return;
    if (entry) entry.result = result;
    const pending = this.#pending.get(number);
    // One that came before what it is the result of is known waits for that.
    if (pending && !pending.starting) this.#arrive(pending, result);
  }

  /** Journal messages up to `seq` are durable. */
  journaled(seq: number): void {
    this.#durableSeq = Math.max(this.#durableSeq, seq);
    const waiting = this.#awaitingDurable;
    this.#awaitingDurable = [];
    for (const one of waiting) {
      if (one.seq <= this.#durableSeq) one.resolve();
      else this.#awaitingDurable.push(one);
    }
  }

  /** Numbers of what the run waits for; undefined where it does something else too. */
  onlyWaits(): number[] | undefined {
    if (this.#busy > 0 || this.replaying || this.#ended || this.#stopped !== undefined) return undefined;
    const waits: number[] = [];
    for (const { waiting, entry } of this.#pending.values()) {
      if (!waiting) return undefined;
      waits.push(entry.number);
    }
    return waits.length > 0 ? waits : undefined;
  }

  /** The host is being answered whether the run can be suspended: until `answered`, nothing else is told of that. */
  answering(): void {
    this.#answering = true;
  }

  /** The host was told that the run works, or it is frozen. */
  answered(): void {
    this.#answering = false;
    this.#toldWaits = undefined;
    this.#schedule();
  }

  /** From now on nothing is handed out, told or started. Everything is told before. */
  freeze(): void {
    this.#sendEntries();
    this.#frozen = true;
    this.#thaw = new Promise((resolve) => {
      this.#onThaw = resolve;
    });
    for (const pending of this.#pending.values()) clearTimeout(pending.timer);
  }

  /** Goes on after `freeze`, at whatever time it is now. */
  resume(): void {
    this.#frozen = false;
    this.#thaw = undefined;
    this.#onThaw?.();
    this.#toldWaits = undefined;
    for (const pending of this.#pending.values()) {
      if (pending.waiting && pending.entry.kind === "wait") this.#setTimer(pending);
    }
    this.#pump();
    this.#schedule();
  }

  /** The attempt is being ended: what is waited for throws this, and nothing is recorded any more. */
  stop(reason: unknown): void {
    if (this.#stopped !== undefined || this.#ended) return;
    this.#stopped = reason;
    clearTimeout(this.#stall);
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(reason);
    }
    this.#pending.clear();
    this.#ready.clear();
    this.#schedule();
  }

  /** The attempt is over. Leaves no timer behind. */
  end(): void {
    this.#sendEntries();
    this.#ended = true;
    clearTimeout(this.#stall);
    for (const pending of this.#pending.values()) clearTimeout(pending.timer);
    this.#pending.clear();
  }

  async #start<T>(
    pending: Pending,
    call: OperationCall<T>,
    start: NonNullable<OperationCall<T>["start"]>,
    knownBefore: boolean,
  ): Promise<void> {
    const { entry } = pending;
    const { runId, attempt } = this.#owner;
    const known = entry.target;
    pending.starting = true;
    await this.busy(async () => {
      await this.#thaw;
      const id = `${runId}.${attempt}.${entry.number}`;
      const started = await this.inner(nameOf(entry), () => start({ id, target: known, known: knownBefore }));
      if (started.target !== undefined && entry.target === undefined) {
        entry.target = started.target;
        if (!started.result) this.#tell(entry);
      }
      // What exists since before can't fail to be created.
      const failedAgain = known !== undefined && started.result?.ok === false;
      if (started.result && !entry.result && !failedAgain) {
        await this.#finish(entry, started.result, call.durable === true);
      }
    });
    pending.starting = false;
    if (entry.result) this.#arrive(pending, entry.result);
    else this.#wait(pending, call, knownBefore);
  }

  #wait<T>(pending: Pending, call: OperationCall<T>, knownBefore: boolean): void {
    if (this.#stopped !== undefined || this.#ended || pending.arrived) return;
    pending.waiting = true;
    const wait = call.wait?.(pending.entry);
    pending.told = wait;
    // Whoever was told before the process ended is told the end only.
    if (wait && !knownBefore) void this.#callHooks("onWait", wait);
    if (pending.entry.kind === "wait") this.#setTimer(pending);
    this.#schedule();
  }

  #callHooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> | undefined {
    const calling = this.inner(`the ${kind} hook`, () => this.#owner.callWaitHooks(kind, wait));
    return calling && this.busy(() => calling);
  }

  #setTimer(pending: Pending): void {
    const left = (pending.entry.until ?? 0) - realNow();
    pending.timer = setTimeout(
      () => {
        if (this.#frozen) return;
        if ((pending.entry.until ?? 0) > realNow()) this.#setTimer(pending);
        else {
          const result = { ok: true } as const;
          void this.#finish(pending.entry, result, false);
          this.#arrive(pending, result);
        }
      },
      Math.min(Math.max(left, 0), MAX_TIMER_MS),
    );
  }

  /** Resolves when the result is told, or durable where that is asked for. */
  #finish(entry: JournalEntry, result: OperationResult, durable: boolean): Promise<void> {
    entry.result = result;
    entry.completedAt = realNow();
    this.#tell(entry);
    if (!durable) return Promise.resolve();
    const seq = this.#seq + 1;
    return new Promise((resolve) => this.#awaitingDurable.push({ seq, resolve }));
  }

  /** There is a result: it is handed out as soon as it is read and its turn has come. */
  #arrive(pending: Pending, result: OperationResult): void {
    if (pending.arrived || this.#ended || !this.#pending.has(pending.entry.number)) return;
    pending.arrived = true;
    pending.waiting = false;
    clearTimeout(pending.timer);
    void this.busy(async () => {
      try {
        const value = await this.inner("the SDK", () => pending.read(result));
        pending.outcome = { ok: true, value };
      } catch (error) {
        pending.outcome = { ok: false, error };
      }
      this.#ready.add(pending.entry.number);
      this.#pump();
    });
  }

  /** Hands out what is ready, in the order the journal says. */
  #pump(): void {
    if (this.#frozen || this.#ended || this.#stopped !== undefined) return;
    clearTimeout(this.#stall);
    for (;;) {
      const next = this.#order.next(this.#calls, (number) => this.#ready.has(number));
      if (next === "none") break;
      const number = next === "any" ? this.#ready.values().next().value : next;
      if (number === undefined) return;
      if (!this.#callOnResume(number)) this.#handOut(number);
    }
    if (this.#ready.size === 0) return;
    this.#stall = setTimeout(() => {
      this.#order.skip();
      this.#pump();
    }, STALL_MS);
  }

  /** True: hooks are told first, and it is handed out when they are done. */
  #callOnResume(number: number): boolean {
    const pending = this.#pending.get(number);
    const hooks = pending?.told && this.#callHooks("onResume", pending.told);
    if (!pending || !hooks) return false;
    pending.told = undefined;
    this.#ready.delete(number);
    void hooks.then(() => {
      this.#ready.add(number);
      this.#pump();
    });
    return true;
  }

  #handOut(number: number): void {
    this.#ready.delete(number);
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    this.#handedOut.push(number);
    this.#schedule();
    if (!pending?.outcome) return;
    if (pending.outcome.ok) pending.resolve(pending.outcome.value);
    else pending.reject(pending.outcome.error);
  }

  #tell(entry: JournalEntry): void {
    this.#unsent.set(entry.number, entry);
    this.#schedule();
  }

  /** What is told in one turn of the event loop goes out together. */
  #schedule(): void {
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#frozen || this.#ended) return;
      this.#sendEntries();
      this.#tellActivity();
    });
  }

  #sendEntries(): void {
    if (this.#unsent.size === 0 || this.#frozen || this.#ended) return;
    const entries = [...this.#unsent.values()].map((entry) => {
      if (!this.#sent.has(entry.number)) {
        this.#sent.add(entry.number);
        return { ...entry };
      }
      // What was told with it before stands.
      const { values: _, location: __, ...news } = entry;
      return news;
    });
    this.#unsent = new Map();
    const { runId, attempt, token } = this.#owner;
    this.#owner.send({ type: "journal", runId, token, attempt, seq: ++this.#seq, entries });
  }

  #tellActivity(): void {
    if (this.#answering) return;
    const numbers = this.onlyWaits();
    const told = numbers?.join();
    if (told === this.#toldWaits) return;
    this.#toldWaits = told;
    const { runId, token } = this.#owner;
    if (!numbers) {
      this.#owner.send({ type: "working", runId, token });
      return;
    }
    const waits = numbers.map((number) => {
      const { kind, until } = this.#known.get(number) as JournalEntry;
      return { number, kind, until };
    });
    this.#owner.send({ type: "waiting", runId, token, waits });
  }
}

const nameOf = ({ kind, name }: JournalEntry): string =>
  `${kind === "step" ? "step" : `the ${kind} of`} "${name}"`;

const withoutUndefined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
