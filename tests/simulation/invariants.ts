import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RunRow } from "@acme/durable-objects/rpc";
import {
  type DequeuedRun,
  ENVIRONMENT_KEY_LENGTH,
  isFinal,
  type OperationResult,
  parseRunId,
  RunStatus,
} from "@acme/sdk/contract";
import type { Platform } from "./platform.ts";

interface Watched {
  slots: StatementSync;
  changed: StatementSync;
  unfinished: StatementSync;
  all: StatementSync;
  version: number;
}

interface Row {
  [column: string]: unknown;
  id: string;
  status: RunStatus;
  version: number;
}

const operationKey = (run: DequeuedRun, number: number): string =>
  `operation ${number} of attempt ${run.attempt} of ${run.runId}`;

/** The design's invariants, checked after every step against the objects' own databases. */
export class Invariants {
  readonly #platform: Platform;
  /** Limit by queue key; others have none of their own. */
  readonly #limits: Map<string, number>;
  readonly #environmentLimit: number;
  readonly #watched = new Map<string, Watched>();
  readonly #acknowledged = new Map<string, RunStatus | null>();
  readonly #byKey = new Map<string, string>();
  readonly #outcomes = new Map<string, RunStatus>();
  readonly #tokens = new Map<string, number>();
  readonly #projection = new Map<string, RunRow>();
  readonly #recorded = new Set<string>();
  readonly #children = new Map<string, string>();
  readonly #results = new Map<string, string>();
  /** Seen outside of a step's check, thrown by the next one. */
  #violation: string | null = null;

  constructor(platform: Platform, limits: Map<string, number>, environmentLimit: number) {
    this.#platform = platform;
    this.#limits = limits;
    this.#environmentLimit = environmentLimit;
  }

  /** A trigger was acknowledged: from here on the run must exist (1), and its key stands for no other run (4). */
  acknowledged(runId: string, key: string | null): void {
    this.#acknowledged.set(runId, null);
    if (!key) return;
    const known = this.#byKey.get(key);
    if (known && known !== runId)
      this.#violation ??= `invariant 4: ${key} stands for ${known} and for ${runId}`;
    this.#byKey.set(key, runId);
  }

  /** An attempt's code starts: every lease of a run has a token of its own (2). */
  started(run: DequeuedRun): void {
    const last = this.#tokens.get(run.runId) ?? 0;
    if (run.token <= last) {
      this.#violation ??= `invariant 2: ${run.runId} was leased with token ${run.token} after ${last}`;
    }
    this.#tokens.set(run.runId, run.token);
    // One that was canceled while it was on its way to the host may start: the notice follows it.
    const outcome = this.#outcomes.get(run.runId);
    if (outcome && outcome !== RunStatus.CANCELED) {
      this.#violation ??= `invariant 1: ${run.runId} was started after its outcome ${outcome}`;
    }
  }

  /** A step's function is called: never again once its result is in the journal (7). */
  performed(run: DequeuedRun, number: number): void {
    const key = operationKey(run, number);
    if (this.#recorded.has(key)) this.#violation ??= `invariant 7: step ${key} was performed again`;
  }

  recorded(run: DequeuedRun, number: number): void {
    this.#recorded.add(operationKey(run, number));
  }

  /** An operation never has a second child (7). */
  child(run: DequeuedRun, number: number, childId: string): void {
    const key = operationKey(run, number);
    const known = this.#children.get(key);
    if (known && known !== childId) this.#violation ??= `invariant 7: ${key} has ${known} and ${childId}`;
    this.#children.set(key, childId);
  }

  /** The task's code got an operation's result: the same one each time (7), and never before a child is over. */
  returned(run: DequeuedRun, number: number, result: OperationResult): void {
    const key = operationKey(run, number);
    const text = JSON.stringify(result);
    const known = this.#results.get(key);
    if (known && known !== text) this.#violation ??= `invariant 7: ${key} returned ${known}, then ${text}`;
    this.#results.set(key, text);
    const child = this.#children.get(key);
    if (child && !this.#outcomes.has(child)) this.#violation ??= `${key} returned before ${child} was over`;
  }

  projected(rows: RunRow[]): void {
    for (const row of rows) {
      const known = this.#projection.get(row.id);
      if (!known || row.version > known.version) this.#projection.set(row.id, row);
    }
  }

  check(): void {
    if (this.#violation) throw new Error(this.#violation);
    const held = new Map<string, number>();
    for (const [queueKey, database] of this.#platform.databases("QUEUE")) {
      const watched = this.#watch(queueKey, database);
      if (!watched) continue;
      this.#checkSlots(queueKey, watched, held);
      this.#checkOutcomes(watched);
    }
    for (const [environment, count] of held) {
      if (count > this.#environmentLimit) {
        throw new Error(
          `invariant 3: environment ${environment} holds ${count} of ${this.#environmentLimit} slots`,
        );
      }
    }
  }

  #checkSlots(queueKey: string, watched: Watched, held: Map<string, number>): void {
    const environment = queueKey.slice(0, ENVIRONMENT_KEY_LENGTH);
    const limit = this.#limits.get(queueKey) ?? Number.POSITIVE_INFINITY;
    for (const row of watched.slots.all() as { key: string; n: number }[]) {
      if (row.n > limit)
        throw new Error(`invariant 3: key '${row.key}' of ${queueKey} holds ${row.n} of ${limit} slots`);
      held.set(environment, (held.get(environment) ?? 0) + row.n);
    }
  }

  /** Looks at the rows changed since the last step: an outcome, once recorded, stays. */
  #checkOutcomes(watched: Watched): void {
    for (const row of watched.changed.all(watched.version) as Row[]) {
      watched.version = Math.max(watched.version, row.version);
      const before = this.#outcomes.get(row.id);
      if (before && before !== row.status)
        throw new Error(`invariant 1: ${row.id} was ${before} and became ${row.status}`);
      if (isFinal(row.status)) this.#outcomes.set(row.id, row.status);
    }
  }

  /** All acknowledged runs are final, no slot is held, and the query side has every row. */
  settled(): boolean {
    return this.unsettled() === "";
  }

  unsettled(): string {
    for (const runId of this.#acknowledged.keys()) {
      if (!this.#outcomes.has(runId)) return `${runId} has no outcome: ${this.#describe(runId)}`;
    }
    for (const [queueKey, database] of this.#platform.databases("QUEUE")) {
      const watched = this.#watch(queueKey, database);
      if (!watched) continue;
      const open = watched.unfinished.get() as { id: string; status: string } | undefined;
      if (open) return `${open.id} is ${open.status}`;
      for (const row of watched.all.all() as Row[]) {
        if (this.#projection.get(row.id)?.version !== row.version) return `${row.id} is not projected`;
      }
    }
    return "";
  }

  #describe(runId: string): string {
    const queueKey = parseRunId(runId)?.queueKey ?? "";
    const row = this.#watched
      .get(queueKey)
      ?.all.all()
      .find((found) => (found as Row).id === runId);
    return row ? JSON.stringify(row) : "it does not exist";
  }

  /** 8: the query side equals the objects; 1: nothing acknowledged is missing. */
  atEnd(): void {
    const rows = new Map<string, Row>();
    for (const [queueKey, database] of this.#platform.databases("QUEUE")) {
      for (const row of (this.#watch(queueKey, database)?.all.all() ?? []) as Row[]) rows.set(row.id, row);
    }
    for (const runId of this.#acknowledged.keys()) {
      const row = rows.get(runId);
      if (!row) throw new Error(`invariant 1: ${runId} was acknowledged and is gone`);
      const projected = this.#projection.get(runId) as RunRow;
      if (projected.status !== row.status || projected.version !== row.version) {
        throw new Error(
          `invariant 8: ${runId} is ${row.status} in its queue and ${projected.status} on the query side`,
        );
      }
      if (row.slot !== 0) throw new Error(`invariant 3: ${runId} ended and holds a slot`);
    }
    for (const [runId, projected] of this.#projection) {
      if (!rows.has(runId)) throw new Error(`invariant 8: the query side knows ${runId}, its queue doesn't`);
      if (parseRunId(runId)?.environmentKey !== projected.environmentKey)
        throw new Error(`invariant 9: ${runId}`);
    }
  }

  #watch(queueKey: string, database: DatabaseSync): Watched | null {
    const known = this.#watched.get(queueKey);
    if (known) return known;
    const tables = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").all();
    if (tables.length === 0) return null;
    const watched: Watched = {
      slots: database.prepare(
        "SELECT concurrency_key AS key, count(*) AS n FROM runs WHERE slot = 1 GROUP BY concurrency_key",
      ),
      changed: database.prepare("SELECT id, status, version FROM runs WHERE version > ?"),
      unfinished: database.prepare(
        `SELECT id, status FROM runs WHERE slot = 1 OR status IN ('DELAYED', 'PENDING', 'PENDING_VERSION', 'RETRYING', 'WAITING_ON_WAITPOINT') LIMIT 1`,
      ),
      all: database.prepare("SELECT * FROM runs"),
      version: 0,
    };
    this.#watched.set(queueKey, watched);
    return watched;
  }
}
