import { DurableObject } from "cloudflare:workers";
import { GroupCommit } from "@acme/durable-objects/lib/group-commit";
import type { RunRow, WaitpointRow } from "@acme/durable-objects/rpc";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";
import { sqliteMigrations } from "../../migrations/sqlite.ts";
import type {
  DeploymentInput,
  DeploymentListOptions,
  Repository,
  RunFilter,
  RunPage,
  WaitpointFilter,
  WaitpointPage,
} from "./repository.ts";
import type { PlainStatement, QueryMethod, SqlRpc } from "./sql-connection.ts";
import { sqliteRepository } from "./sqlite-repository.ts";
import { sqliteUpsert } from "./sqlite-upsert.ts";

class NothingChanged extends Error {}

/**
 * The query side on one machine without D1 and Postgres: the same repository over an object's SQLite. It
 * applies the migrations in its constructor, before it accepts calls.
 */
export class DatabaseObject<Env> extends DurableObject<Env> implements Repository, SqlRpc {
  readonly #repository: Repository;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const db = drizzle(ctx.storage);
    // Rows that several queues send at the same time share one statement, one transaction and one flush to
    // disk.
    const commits = new GroupCommit<RunRow[]>((collect) => {
      const rows: RunRow[] = [];
      collect(rows);
      ctx.storage.transactionSync(() => {
        for (const { sql, params } of sqliteUpsert(rows)) ctx.storage.sql.exec(sql, ...params);
      });
    });
    this.#repository = sqliteRepository(db, (given) =>
      commits.run((rows) => {
        for (const row of given) rows.push(row);
      }),
    );
    ctx.blockConcurrencyWhile(() => migrate(db, sqliteMigrations));
  }

  /** Executes one statement of the control plane, which builds its queries in the Worker. */
  async query(sql: string, params: unknown[], method: QueryMethod) {
    const rows = [...this.ctx.storage.sql.exec(sql, ...(params as SqlStorageValue[])).raw()];
    return { rows: method === "get" ? (rows[0] ?? []) : rows, rowCount: this.#changes() };
  }

  /**
   * Executes several statements in one transaction. Returns the number of rows that each one changed; null if
   * a required one changed none.
   */
  async queryAtomically(statements: PlainStatement[]) {
    try {
      return this.ctx.storage.transactionSync(() =>
        statements.map(({ sql, params, required }) => {
          this.ctx.storage.sql.exec(sql, ...(params as SqlStorageValue[])).toArray();
          const changed = this.#changes();
          if (required && changed === 0) throw new NothingChanged();
          return changed;
        }),
      );
    } catch (error) {
      if (error instanceof NothingChanged) return null;
      throw error;
    }
  }

  /**
   * The rows that the last INSERT, UPDATE or DELETE changed. Unlike the cursor's count, SQLite's own count
   * excludes index writes.
   */
  #changes(): number {
    return this.ctx.storage.sql.exec<{ changed: number }>("SELECT changes() AS changed").one().changed;
  }

  async findEnvironmentByKeyHash(hash: string) {
    return this.#repository.findEnvironmentByKeyHash(hash);
  }

  async findAccessToken(hash: string) {
    return this.#repository.findAccessToken(hash);
  }

  async markUsed(kind: "key" | "accessToken", hash: string) {
    return this.#repository.markUsed(kind, hash);
  }

  async findEnvironment(organizationId: string, projectRef: string, slug: string) {
    return this.#repository.findEnvironment(organizationId, projectRef, slug);
  }

  async findEnvironmentByKey(environmentKey: string) {
    return this.#repository.findEnvironmentByKey(environmentKey);
  }

  async findEnvironmentOfProject(projectRef: string, slug: string) {
    return this.#repository.findEnvironmentOfProject(projectRef, slug);
  }

  async environmentsOfOrganization(organizationSlug: string) {
    return this.#repository.environmentsOfOrganization(organizationSlug);
  }

  async createDeployment(input: DeploymentInput) {
    return this.#repository.createDeployment(input);
  }

  async isBundleKept(contentHash: string) {
    return this.#repository.isBundleKept(contentHash);
  }

  async markCollected(id: string, at: number | null) {
    return this.#repository.markCollected(id, at);
  }

  async pruneDeployments(environmentKey: string, keep: number) {
    return this.#repository.pruneDeployments(environmentKey, keep);
  }

  async findDeployment(id: string) {
    return this.#repository.findDeployment(id);
  }

  async findDeploymentByVersion(environmentKey: string, version: string) {
    return this.#repository.findDeploymentByVersion(environmentKey, version);
  }

  async listDeployments(environmentKey: string, limit: number, options?: DeploymentListOptions) {
    return this.#repository.listDeployments(environmentKey, limit, options);
  }

  async markPromoted(id: string, at?: number) {
    return this.#repository.markPromoted(id, at);
  }

  async finishBuild(id: string, result: { imageDigest: string } | { failure: string }) {
    return this.#repository.finishBuild(id, result);
  }

  async upsertRuns(rows: RunRow[]) {
    return this.#repository.upsertRuns(rows);
  }

  async findRun(environmentKey: string, runId: string) {
    return this.#repository.findRun(environmentKey, runId);
  }

  async listRuns(environmentKey: string, filter: RunFilter, page: RunPage) {
    return this.#repository.listRuns(environmentKey, filter, page);
  }

  async listRunsOf(environmentKeys: string[], filter: RunFilter, page: RunPage) {
    return this.#repository.listRunsOf(environmentKeys, filter, page);
  }

  async countRuns(environmentKey: string, filter: RunFilter) {
    return this.#repository.countRuns(environmentKey, filter);
  }

  async countUnfinished(environmentKey: string) {
    return this.#repository.countUnfinished(environmentKey);
  }

  async listBatchIds(environmentKey: string, limit: number, after?: string) {
    return this.#repository.listBatchIds(environmentKey, limit, after);
  }

  async upsertWaitpoints(rows: WaitpointRow[]) {
    return this.#repository.upsertWaitpoints(rows);
  }

  async listWaitpoints(environmentKey: string, filter: WaitpointFilter, page: WaitpointPage) {
    return this.#repository.listWaitpoints(environmentKey, filter, page);
  }

  async ping() {
    return this.#repository.ping();
  }
}
