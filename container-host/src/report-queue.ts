import type { AttemptCompleted, AttemptStarted, LeaseVerdict } from "@acme/sdk/contract";

export interface Lease {
  runId: string;
  token: number;
}

/** What one report carries. */
export interface ReportBatch {
  started: AttemptStarted[];
  completed: AttemptCompleted[];
  heartbeats: Lease[];
}

/** Characters of JSON in one report, roughly; a single larger item still goes. The server takes 32 MB. */
const MAX_CHARS = 4 * 1024 * 1024;
const MAX_ITEMS = 2_000;
const OVERHEAD = 200;

const keyOf = ({ runId, token }: Lease): string => `${runId} ${token}`;

/** What is to be told, in order, until the server has acknowledged it. Without I/O. */
export class ReportQueue {
  #started = new Map<string, AttemptStarted>();
  #completed: AttemptCompleted[] = [];
  #heartbeats: Lease[] = [];
  #chars = 0;

  get isEmpty(): boolean {
    return this.#started.size === 0 && this.#completed.length === 0 && this.#heartbeats.length === 0;
  }

  get size(): number {
    return this.#started.size + this.#completed.length + this.#heartbeats.length;
  }

  /** Completions that wait. */
  get unacknowledged(): number {
    return this.#completed.length;
  }

  /** Characters of output that wait. */
  get chars(): number {
    return this.#chars;
  }

  started(item: AttemptStarted): void {
    this.#started.set(keyOf(item), item);
  }

  /** A start that was not told yet isn't told any more: the completion carries it. */
  completed(item: AttemptCompleted): void {
    this.#started.delete(keyOf(item));
    this.#completed.push(item);
    this.#chars += charsOf(item);
  }

  heartbeats(leases: Lease[]): void {
    this.#heartbeats = leases;
  }

  /** Takes the next batch out. */
  take(): ReportBatch {
    const started = [...this.#started.values()];
    this.#started.clear();
    const heartbeats = this.#heartbeats;
    this.#heartbeats = [];
    let end = 0;
    let chars = 0;
    while (end < this.#completed.length && end < MAX_ITEMS) {
      chars += charsOf(this.#completed[end] as AttemptCompleted);
      if (end > 0 && chars > MAX_CHARS) break;
      end += 1;
    }
    const completed = end === this.#completed.length ? this.#completed : this.#completed.slice(0, end);
    this.#completed = end === this.#completed.length ? [] : this.#completed.slice(end);
    for (const item of completed) this.#chars -= charsOf(item);
    return { started, completed, heartbeats };
  }

  /** Puts a batch that was not acknowledged back, before everything that came since. */
  putBack(batch: ReportBatch): void {
    const completedSince = new Set(this.#completed.map(keyOf));
    const started = batch.started.filter((item) => !completedSince.has(keyOf(item)));
    this.#started = new Map([...started.map((item) => [keyOf(item), item] as const), ...this.#started]);
    this.#completed = [...batch.completed, ...this.#completed];
    for (const item of batch.completed) this.#chars += charsOf(item);
    if (this.#heartbeats.length === 0) this.#heartbeats = batch.heartbeats;
  }
}

/** The part of a batch whose verdict is "retry" (or missing). */
export function unanswered(
  batch: ReportBatch,
  verdicts: { started: LeaseVerdict[]; completed: LeaseVerdict[]; heartbeats: LeaseVerdict[] },
): ReportBatch {
  const open = (list: LeaseVerdict[]) => (_: unknown, index: number) => (list[index] ?? "retry") === "retry";
  return {
    started: batch.started.filter(open(verdicts.started)),
    completed: batch.completed.filter(open(verdicts.completed)),
    heartbeats: batch.heartbeats.filter(open(verdicts.heartbeats)),
  };
}

/** Splits a batch that was refused, to find out which item is the culprit. Null: it has only one. */
export function halves(batch: ReportBatch): [ReportBatch, ReportBatch] | null {
  const size = batch.started.length + batch.completed.length + batch.heartbeats.length;
  if (size <= 1) return null;
  const cut = <T>(list: T[], first: boolean): T[] => {
    const middle = Math.ceil(list.length / 2);
    return first ? list.slice(0, middle) : list.slice(middle);
  };
  if (batch.started.length > 0 && size > batch.started.length) {
    return [
      { started: batch.started, completed: [], heartbeats: [] },
      { ...batch, started: [] },
    ];
  }
  if (batch.heartbeats.length > 0 && size > batch.heartbeats.length) {
    return [
      { ...batch, heartbeats: [] },
      { started: [], completed: [], heartbeats: batch.heartbeats },
    ];
  }
  const half = (first: boolean): ReportBatch => ({
    started: cut(batch.started, first),
    completed: cut(batch.completed, first),
    heartbeats: cut(batch.heartbeats, first),
  });
  return [half(true), half(false)];
}

function charsOf({ outcome }: AttemptCompleted): number {
  return OVERHEAD + (outcome.type === "success" ? (outcome.output?.length ?? 0) : 0);
}
