import type {
  AttemptCompleted,
  AttemptStarted,
  KeptCheckpoint,
  LeaseVerdict,
  ReportResponse,
  RunJournal,
  RunSuspension,
} from "@acme/sdk/contract";

export interface Lease {
  runId: string;
  token: number;
}

/** `seq` is between the host and the runtime: the server doesn't know it. */
export type ToldJournal = RunJournal & { seq: number };

/** What one report carries. */
export interface ReportBatch {
  started: AttemptStarted[];
  journals: ToldJournal[];
  completed: AttemptCompleted[];
  suspensions: RunSuspension[];
  heartbeats: Lease[];
  checkpoints: KeptCheckpoint[];
}

/** What is told in order and until it is acknowledged. Within a run: journals, then its end or its suspension. */
type Told =
  | { kind: "journals"; item: ToldJournal; chars: number }
  | { kind: "completed"; item: AttemptCompleted; chars: number }
  | { kind: "suspensions"; item: RunSuspension; chars: number };

/** Characters of JSON in one report, roughly; a single larger item still goes. The server takes 32 MB. */
const MAX_CHARS = 4 * 1024 * 1024;
const MAX_ITEMS = 2_000;
const OVERHEAD = 200;

const keyOf = ({ runId, token }: Lease): string => `${runId} ${token}`;

export const emptyBatch = (): ReportBatch => ({
  started: [],
  journals: [],
  completed: [],
  suspensions: [],
  heartbeats: [],
  checkpoints: [],
});

export const sizeOf = (batch: ReportBatch): number =>
  batch.started.length +
  batch.journals.length +
  batch.completed.length +
  batch.suspensions.length +
  batch.heartbeats.length +
  batch.checkpoints.length;

/** What is to be told, in order, until the server has acknowledged it. Without I/O. */
export class ReportQueue {
  #started = new Map<string, AttemptStarted>();
  #told: Told[] = [];
  #heartbeats: Lease[] = [];
  #checkpoints: KeptCheckpoint[] = [];
  #chars = 0;

  get isEmpty(): boolean {
    return this.size === 0;
  }

  get size(): number {
    return this.#started.size + this.#told.length + this.#heartbeats.length + this.#checkpoints.length;
  }

  /** A run may stand still until what it did is durable. */
  get isAwaited(): boolean {
    return this.#told.some(({ kind }) => kind === "journals");
  }

  /** Journals, ends and suspensions that wait. */
  get unacknowledged(): number {
    return this.#told.length;
  }

  /** Characters of output and journals that wait. */
  get chars(): number {
    return this.#chars;
  }

  started(item: AttemptStarted): void {
    this.#started.set(keyOf(item), item);
  }

  /** `chars`: of the entries. */
  journal(item: ToldJournal, chars: number): void {
    this.#add({ kind: "journals", item, chars: OVERHEAD + chars });
  }

  /** A start that was not told yet isn't told any more: the completion carries it, but not how a run was resumed. */
  completed(item: AttemptCompleted): void {
    const key = keyOf(item);
    if (!this.#started.get(key)?.resumed) this.#started.delete(key);
    this.#add({ kind: "completed", item, chars: charsOf(item) });
  }

  suspended(item: RunSuspension): void {
    this.#add({ kind: "suspensions", item, chars: OVERHEAD });
  }

  heartbeats(leases: Lease[]): void {
    this.#heartbeats = leases;
  }

  /** To be asked about. */
  checkpoints(kept: KeptCheckpoint[]): void {
    this.#checkpoints = kept;
  }

  /** Takes the next batch out. */
  take(): ReportBatch {
    const batch = emptyBatch();
    batch.started = [...this.#started.values()];
    this.#started.clear();
    batch.heartbeats = this.#heartbeats;
    this.#heartbeats = [];
    batch.checkpoints = this.#checkpoints;
    this.#checkpoints = [];
    let end = 0;
    let chars = 0;
    while (end < this.#told.length && end < MAX_ITEMS) {
      chars += (this.#told[end] as Told).chars;
      if (end > 0 && chars > MAX_CHARS) break;
      end += 1;
    }
    const taken = this.#told.slice(0, end);
    this.#told = this.#told.slice(end);
    for (const told of taken) {
      this.#chars -= told.chars;
      if (told.kind === "journals") batch.journals.push(told.item);
      else if (told.kind === "completed") batch.completed.push(told.item);
      else batch.suspensions.push(told.item);
    }
    return batch;
  }

  /** Puts a batch that was not acknowledged back, before everything that came since. */
  putBack(batch: ReportBatch): void {
    const completedSince = new Set(
      this.#told.flatMap(({ kind, item }) => (kind === "completed" ? [keyOf(item)] : [])),
    );
    const started = batch.started.filter((item) => item.resumed || !completedSince.has(keyOf(item)));
    this.#started = new Map([...started.map((item) => [keyOf(item), item] as const), ...this.#started]);
    const told: Told[] = [
      ...batch.journals.map((item) => ({
        kind: "journals" as const,
        item,
        chars: OVERHEAD + JSON.stringify(item.entries).length,
      })),
      ...batch.completed.map((item) => ({ kind: "completed" as const, item, chars: charsOf(item) })),
      ...batch.suspensions.map((item) => ({ kind: "suspensions" as const, item, chars: OVERHEAD })),
    ];
    this.#told = [...told, ...this.#told];
    for (const { chars } of told) this.#chars += chars;
    if (this.#heartbeats.length === 0) this.#heartbeats = batch.heartbeats;
    if (this.#checkpoints.length === 0) this.#checkpoints = batch.checkpoints;
  }

  #add(told: Told): void {
    this.#told.push(told);
    this.#chars += told.chars;
  }
}

/** The part of a batch whose verdict is "retry" (or missing). Checkpoints are asked about again anyway. */
export function unanswered(batch: ReportBatch, verdicts: Omit<ReportResponse, "checkpoints">): ReportBatch {
  const open = (list: LeaseVerdict[]) => (_: unknown, index: number) => (list[index] ?? "retry") === "retry";
  return {
    started: batch.started.filter(open(verdicts.started)),
    journals: batch.journals.filter(open(verdicts.journals)),
    completed: batch.completed.filter(open(verdicts.completed)),
    suspensions: batch.suspensions.filter(
      (_, index) => (verdicts.suspensions[index]?.verdict ?? "retry") === "retry",
    ),
    heartbeats: batch.heartbeats.filter(open(verdicts.heartbeats)),
    checkpoints: [],
  };
}

/** Splits a batch that was refused, to find out which item is the culprit. Null: it has only one. */
export function halves(batch: ReportBatch): [ReportBatch, ReportBatch] | null {
  if (sizeOf(batch) <= 1) return null;
  // By kind first, in the order in which they are told, so that no half tells a run's end before its start.
  for (const kind of ["started", "journals", "completed", "suspensions", "heartbeats"] as const) {
    const own = batch[kind];
    if (own.length === 0 || own.length === sizeOf(batch)) continue;
    return [
      { ...emptyBatch(), [kind]: own },
      { ...batch, [kind]: [] },
    ];
  }
  const half = (first: boolean): ReportBatch => {
    const cut = <T>(list: T[]): T[] => {
      const middle = Math.ceil(list.length / 2);
      return first ? list.slice(0, middle) : list.slice(middle);
    };
    return {
      started: cut(batch.started),
      journals: cut(batch.journals),
      completed: cut(batch.completed),
      suspensions: cut(batch.suspensions),
      heartbeats: cut(batch.heartbeats),
      checkpoints: cut(batch.checkpoints),
    };
  };
  return [half(true), half(false)];
}

function charsOf({ outcome }: AttemptCompleted): number {
  return OVERHEAD + (outcome.type === "success" ? (outcome.output?.length ?? 0) : 0);
}
