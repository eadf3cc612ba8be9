import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ENVIRONMENT_KEY_LENGTH, type RunStatus } from "@acme/sdk/contract";
import type { Platform } from "../platform.ts";

/** The columns of a run in its queue's database that the checks use. */
export interface RunState {
  seq: number;
  id: string;
  task: string;
  status: RunStatus;
  slot: number;
  concurrency_key: string;
  limits: string;
  order_at: number;
  token: number;
  attempt: number;
  journal_attempt: number;
  session_id: string | null;
  version: number;
  tags: string;
  error_message: string | null;
}

export interface RunChange {
  queueKey: string;
  environmentKey: string;
  database: DatabaseSync;
  /** Undefined: the run is new. */
  before: RunState | undefined;
  after: RunState;
}

/** Slots that runs of one concurrency key and of the same named limits hold in one queue. */
export interface HeldSlots {
  /** Names of limits, separated by commas; "": none. */
  limits: string;
  /** "": none. */
  key: string;
  n: number;
}

interface ReadQueue {
  changed: StatementSync;
  held: StatementSync;
  version: number;
}

/** A move from one status to another, as `FROM → TO`. */
export type Edge = `${RunStatus} → ${RunStatus}`;

/** Reads after each step which runs it changed, by version, in the databases that were written to. */
export class RunChanges {
  readonly runs = new Map<string, RunState>();
  /** Every status change of a run so far, including several in one step. */
  readonly edges = new Set<Edge>();
  readonly #platform: Platform;
  readonly #queues = new Map<string, ReadQueue>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /**
   * Calls `onChange` for each changed run, and `onQueue` for each queue that was written to, with the slots
   * that are held there. They are counted from the rows themselves, because the objects' counters are what is
   * checked.
   */
  read(
    onChange: (change: RunChange) => void,
    onQueue: (queueKey: string, slots: readonly HeldSlots[]) => void,
  ): void {
    for (const [queueKey, database] of this.#platform.written("QUEUE")) {
      const queue = this.#queue(queueKey, database);
      if (!queue) continue;
      const environmentKey = queueKey.slice(0, ENVIRONMENT_KEY_LENGTH);
      for (const after of queue.changed.all(queue.version) as unknown as RunState[]) {
        queue.version = Math.max(queue.version, after.version);
        const before = this.runs.get(after.id);
        this.runs.set(after.id, after);
        onChange({ queueKey, environmentKey, database, before, after });
      }
      onQueue(queueKey, queue.held.all() as unknown as HeldSlots[]);
    }
  }

  /** Makes SQLite report each change of a status. */
  #watch(database: DatabaseSync): void {
    database.function("edge", (from, to) => {
      this.edges.add(`${from as RunStatus} → ${to as RunStatus}`);
      return null;
    });
    database.exec(
      `CREATE TEMP TRIGGER edges AFTER UPDATE OF status ON main.runs WHEN old.status <> new.status
       BEGIN SELECT edge(old.status, new.status); END`,
    );
  }

  #queue(queueKey: string, database: DatabaseSync): ReadQueue | null {
    let queue = this.#queues.get(queueKey);
    if (!queue) {
      if (!hasRuns(database)) return null;
      this.#watch(database);
      queue = {
        changed: database.prepare(
          `SELECT seq, id, task, status, slot, concurrency_key, limits, order_at, token, attempt, journal_attempt,
             session_id, version, tags, error_message
           FROM runs WHERE version > ? ORDER BY version, seq`,
        ),
        held: database.prepare(
          `SELECT limits, concurrency_key AS key, count(*) AS n FROM runs WHERE slot = 1
           GROUP BY concurrency_key, limits`,
        ),
        version: 0,
      };
      this.#queues.set(queueKey, queue);
    }
    return queue;
  }
}

export const hasRuns = (database: DatabaseSync): boolean =>
  database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").all().length > 0;
