import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { RunProjection, RunRow, WaitpointProjection, WaitpointRow } from "@acme/durable-objects/rpc";
import type { RunStatus } from "@acme/sdk/contract";
import type { LiveFilter } from "@acme/sdk/contract/live";
import { sqliteMigrations } from "../../workers/migrations/sqlite.ts";
import { listRuns } from "../../workers/src/realtime/list-runs.ts";
import { d1Repository } from "../../workers/src/storage/sqlite-repository.ts";
import { type Faults, LONG_DELAY_MS } from "./faults.ts";
import type { World } from "./world.ts";

/**
 * The real query side (the statements that D1 executes) over SQLite in memory, behind a network with faults: calls are lost,
 * executed without an answer, or arrive long after the caller gave up.
 */
export class QuerySide implements RunProjection, WaitpointProjection {
  readonly #world: World;
  readonly #faults: () => Faults;
  readonly #database = new DatabaseSync(":memory:");
  readonly #repository = d1Repository(d1(this.#database));
  readonly #version: StatementSync;
  /** Rows of calls in flight. */
  #late = 0;

  constructor(world: World, faults: () => Faults) {
    this.#world = world;
    this.#faults = faults;
    for (const script of Object.values(sqliteMigrations.migrations)) this.#database.exec(script);
    this.#version = this.#database.prepare("SELECT version FROM runs WHERE id = ?");
  }

  close(): void {
    this.#database.close();
  }

  get isQuiet(): boolean {
    return this.#late === 0;
  }

  upsertRuns(rows: RunRow[]): Promise<void> {
    const copy = structuredClone(rows);
    return this.#carry(() => this.#repository.upsertRuns(copy));
  }

  upsertWaitpoints(rows: WaitpointRow[]): Promise<void> {
    const copy = structuredClone(rows);
    return this.#carry(() => this.#repository.upsertWaitpoints(copy));
  }

  /** The real statements that the LiveObject reads with. */
  listRuns(
    environmentKey: string,
    filter: LiveFilter,
    limit: number,
  ): Promise<{ runs: RunRow[]; more: boolean }> {
    return this.#carry(() => listRuns(this.#repository, environmentKey, filter, limit));
  }

  countUnfinished(environmentKey: string): Promise<Partial<Record<RunStatus, number>>> {
    return this.#carry(() => this.#repository.countUnfinished(environmentKey));
  }

  /** Returns the version of a run's row; undefined if there is none. */
  versionOf(runId: string): number | undefined {
    return this.#version.get(runId)?.version as number | undefined;
  }

  /** Returns rows as they are stored, by the names of their columns. */
  rows(table: "runs" | "waitpoints"): Record<string, unknown>[] {
    return this.#database.prepare(`SELECT * FROM ${table}`).all();
  }

  async #carry<T>(work: () => Promise<T>): Promise<T> {
    const world = this.#world;
    const faults = this.#faults();
    await world.sleep(world.random() * 50);
    if (world.chance(faults.lostRequest)) throw new Error("simulated: the query side is unreachable");
    if (world.chance(faults.late)) {
      this.#late += 1;
      world.after(world.random() * LONG_DELAY_MS, () => {
        this.#late -= 1;
        void work();
      });
      throw new Error("simulated: the query side did not answer in time");
    }
    const result = await work();
    if (world.chance(faults.lostReply)) throw new Error("simulated: the query side's answer was lost");
    return result;
  }
}

/** The part of D1 that the repository uses here. */
function d1(database: DatabaseSync): D1Database {
  const statements = new Map<string, StatementSync>();
  const prepare = (query: string, bound: SQLInputValue[] = []) => {
    const statement = statements.get(query) ?? database.prepare(query);
    statements.set(query, statement);
    return {
      bind: (...values: unknown[]) => prepare(query, values as SQLInputValue[]),
      run: async () => ({ results: statement.all(...bound), success: true, meta: {} }),
      all: async () => ({ results: statement.all(...bound), success: true, meta: {} }),
      raw: async () => {
        statement.setReturnArrays(true);
        try {
          return statement.all(...bound);
        } finally {
          statement.setReturnArrays(false);
        }
      },
      apply: () => statement.all(...bound),
    };
  };
  const batch = async (statements: { apply(): unknown }[]) => {
    database.exec("BEGIN");
    for (const statement of statements) statement.apply();
    database.exec("COMMIT");
    return [];
  };
  return { prepare, batch } as unknown as D1Database;
}
