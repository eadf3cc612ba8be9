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

/** `seq` is known only to the host and the runtime, not to the server. */
export type ReportedJournal = RunJournal & { seq: number };

/** An item with its JSON, which is serialized once, for sending and for measuring. */
export interface Pending<T> {
  item: T;
  json: string;
  /** Size of the JSON in UTF-8. */
  bytes: number;
  /** The number of consecutive times that the server could not take it. */
  retries: number;
}

/** Items that are sent until they are acknowledged, by kind. */
export interface RunReports {
  started: Pending<AttemptStarted>[];
  journals: Pending<ReportedJournal>[];
  completed: Pending<AttemptCompleted>[];
  suspensions: Pending<RunSuspension>[];
}

/** The contents of one report. */
export interface ReportBatch extends RunReports {
  heartbeats: Lease[];
  checkpoints: KeptCheckpoint[];
}

type Kind = keyof RunReports;
type PendingOfRun = { [K in Kind]: RunReports[K][number] & { kind: K } }[Kind];

/** The pending reports about one run, in order, and when to send them. */
interface Lane {
  items: PendingOfRun[];
  /** Milliseconds of the monotonic clock before which it is not sent again. */
  notBefore: number;
}

const KINDS = ["started", "journals", "completed", "suspensions"] as const satisfies Kind[];
/** Bytes of JSON in one report. A larger item is sent alone; the server takes 32 MB. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_ITEMS = 2_000;
/** Leases whose owner could not be reached are renewed again after this many milliseconds. */
const HEARTBEAT_RETRY_MS = 1_000;

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

export function pendingOf<T>(item: T): Pending<T> {
  const json = JSON.stringify(item);
  return { item, json, bytes: Buffer.byteLength(json), retries: 0 };
}

/**
 * The reports that the server has not acknowledged. It does no I/O and has no clock of its own.
 *
 * Each run has a lane, in which its items keep their order. Lanes are sent in the order in which they were
 * filled. A lane that the server could not take moves behind all others and waits longer each time, so one
 * run, queue or organization that can't be served never delays the rest.
 */
export class ReportQueue {
  /** By run id, in the order in which they are sent. */
  readonly #lanes = new Map<string, Lane>();
  #heartbeats: Lease[] = [];
  #heartbeatsNotBefore = 0;
  #checkpoints: KeptCheckpoint[] = [];
  #items = 0;
  #journals = 0;
  #starts = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.size === 0;
  }

  get size(): number {
    return this.#items + this.#heartbeats.length + this.#checkpoints.length;
  }

  /** Returns whether a run may be waiting for something to become durable. */
  get isAwaited(): boolean {
    return this.#journals > 0;
  }

  /** Returns the number of journals, ends and suspensions that have not been acknowledged. */
  get unacknowledged(): number {
    return this.#items - this.#starts;
  }

  /** Returns the number of pending bytes of JSON. */
  get bytes(): number {
    return this.#bytes;
  }

  started(item: AttemptStarted): void {
    this.#append(item.runId, { kind: "started", ...pendingOf(item) });
  }

  journal(item: ReportedJournal): void {
    this.#append(item.runId, { kind: "journals", ...pendingOf(item) });
  }

  /** A start that has not been sent is dropped: the completion carries it, but not how a run was resumed. */
  completed(item: AttemptCompleted): void {
    const lane = this.#lanes.get(item.runId);
    if (lane) this.#dropStarts(lane, item);
    this.#append(item.runId, { kind: "completed", ...pendingOf(item) });
  }

  suspended(item: RunSuspension): void {
    this.#append(item.runId, { kind: "suspensions", ...pendingOf(item) });
  }

  heartbeats(leases: Lease[]): void {
    this.#heartbeats = leases;
    this.#heartbeatsNotBefore = 0;
  }

  /** Asks the server whether these are still needed. */
  checkpoints(kept: KeptCheckpoint[]): void {
    this.#checkpoints = kept;
  }

  /** Returns the milliseconds until something can be sent: 0 now, null if nothing waits. */
  dueIn(now: number): number | null {
    let at = Number.POSITIVE_INFINITY;
    if (this.#checkpoints.length > 0) at = 0;
    if (this.#heartbeats.length > 0) at = Math.min(at, this.#heartbeatsNotBefore);
    for (const { notBefore } of this.#lanes.values()) {
      if (at <= now) break;
      at = Math.min(at, notBefore);
    }
    return at === Number.POSITIVE_INFINITY ? null : Math.max(0, at - now);
  }

  /**
   * Removes and returns the next batch. Consecutive `failures` make it smaller, down to one item: if one item
   * makes the server fail, the others are soon sent without it.
   */
  take(now: number, failures = 0): ReportBatch {
    const batch = emptyBatch();
    batch.checkpoints = this.#checkpoints;
    this.#checkpoints = [];
    if (this.#heartbeatsNotBefore <= now) {
      batch.heartbeats = this.#heartbeats;
      this.#heartbeats = [];
    }
    const maxItems = Math.max(1, Math.floor(MAX_ITEMS / 8 ** failures));
    const maxBytes = MAX_BYTES / 8 ** failures;
    let items = 0;
    let bytes = 0;
    for (const [runId, lane] of this.#lanes) {
      if (lane.notBefore > now) continue;
      let taken = 0;
      for (const pending of lane.items) {
        if (items === maxItems || (items > 0 && bytes + pending.bytes > maxBytes)) break;
        items += 1;
        bytes += pending.bytes;
        taken += 1;
        this.#count(pending, -1);
        put(batch, pending);
      }
      const isWhole = taken === lane.items.length;
      if (isWhole) this.#lanes.delete(runId);
      else lane.items = lane.items.slice(taken);
      if (!isWhole) break;
    }
    return batch;
  }

  /**
   * Puts back a batch that got no answer: behind newer lanes, but each run's items before its own later ones.
   */
  putBack(batch: ReportBatch): void {
    this.#return(batch, 0);
    if (this.#heartbeats.length === 0) this.#heartbeats = batch.heartbeats;
    if (this.#checkpoints.length === 0) this.#checkpoints = batch.checkpoints;
  }

  /**
   * Puts back what the server could not take, behind the rest. `waitMs`: how long a run's items wait after
   * this many consecutive retries (from 1).
   */
  retry(batch: ReportBatch, now: number, waitMs: (retries: number) => number): void {
    for (const kind of KINDS) for (const pending of batch[kind]) pending.retries += 1;
    this.#return(batch, now, waitMs);
    if (this.#heartbeats.length > 0 || batch.heartbeats.length === 0) return;
    this.#heartbeats = batch.heartbeats;
    this.#heartbeatsNotBefore = now + HEARTBEAT_RETRY_MS;
  }

  #return(batch: ReportBatch, now: number, waitMs: (retries: number) => number = () => 0): void {
    for (const [runId, items] of byRun(batch)) {
      const since = this.#lanes.get(runId)?.items ?? [];
      const lane: Lane = { items, notBefore: now + waitMs(Math.max(...items.map(({ retries }) => retries))) };
      for (const pending of items) this.#count(pending, 1);
      for (const pending of since) {
        if (pending.kind === "completed") this.#dropStarts(lane, pending.item);
        lane.items.push(pending);
      }
      this.#lanes.delete(runId);
      this.#lanes.set(runId, lane);
    }
  }

  #append(runId: string, pending: PendingOfRun): void {
    const lane = this.#lanes.get(runId);
    if (lane) lane.items.push(pending);
    else this.#lanes.set(runId, { items: [pending], notBefore: 0 });
    this.#count(pending, 1);
  }

  #dropStarts(lane: Lane, lease: Lease): void {
    lane.items = lane.items.filter((pending) => {
      const dropped =
        pending.kind === "started" && !pending.item.resumed && keyOf(pending.item) === keyOf(lease);
      if (dropped) this.#count(pending, -1);
      return !dropped;
    });
  }

  #count({ kind, bytes }: PendingOfRun, by: 1 | -1): void {
    this.#items += by;
    this.#bytes += by * bytes;
    if (kind === "journals") this.#journals += by;
    if (kind === "started") this.#starts += by;
  }
}

function put(batch: RunReports, pending: PendingOfRun): void {
  if (pending.kind === "started") batch.started.push(pending);
  else if (pending.kind === "journals") batch.journals.push(pending);
  else if (pending.kind === "completed") batch.completed.push(pending);
  else batch.suspensions.push(pending);
}

/** Groups a batch's items by run, each run's in the order in which they are reported. */
function byRun(batch: RunReports): Map<string, PendingOfRun[]> {
  const all: PendingOfRun[] = [
    ...batch.started.map((pending) => ({ ...pending, kind: "started" as const })),
    ...batch.journals.map((pending) => ({ ...pending, kind: "journals" as const })),
    ...batch.completed.map((pending) => ({ ...pending, kind: "completed" as const })),
    ...batch.suspensions.map((pending) => ({ ...pending, kind: "suspensions" as const })),
  ];
  return Map.groupBy(all, ({ item }) => item.runId);
}

/**
 * Returns the part of a batch whose verdict is "retry" (or missing). The server is asked about checkpoints
 * again anyway.
 */
export function unanswered(
  batch: ReportBatch,
  verdicts: Omit<ReportResponse, "checkpoints" | "apiTokens" | "logs">,
): ReportBatch {
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

/** Splits a refused batch, to find the item that caused the refusal. Returns null if it has only one. */
export function halves(batch: ReportBatch): [ReportBatch, ReportBatch] | null {
  if (sizeOf(batch) <= 1) return null;
  // By kind first, in the order in which they are reported, so that no half reports a run's end before its start.
  for (const kind of [...KINDS, "heartbeats"] as const) {
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

/** Returns the JSON of a `ReportRequest` with this batch; `head` has its other fields. */
export function batchBody(head: object, batch: ReportBatch): string {
  const { heartbeats, checkpoints } = batch;
  const fields = JSON.stringify({ ...head, heartbeats, checkpoints }).slice(0, -1);
  const lists = KINDS.map((kind) => `"${kind}":[${batch[kind].map(({ json }) => json).join(",")}]`);
  return `${fields},${lists.join(",")}}`;
}
