import { DurableObject } from "cloudflare:workers";
import type { RunRow } from "@acme/durable-objects/rpc";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";
import { sqliteMigrations } from "../../migrations/sqlite.ts";
import type { BootstrapInput, Repository, RunFilter, RunPage } from "./repository.ts";
import { SqliteRepository } from "./sqlite-repository.ts";

type DeploymentInput = Parameters<Repository["createDeployment"]>[0];

/** The query side on one machine, where neither D1 nor Postgres is: the same repository over an object's SQLite. */
export class DatabaseObject<Env> extends DurableObject<Env> implements Repository {
  readonly #repository: SqliteRepository;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const db = drizzle(ctx.storage);
    this.#repository = new SqliteRepository(db);
    ctx.blockConcurrencyWhile(() => migrate(db, sqliteMigrations));
  }

  async bootstrap(input: BootstrapInput) {
    return this.#repository.bootstrap(input);
  }

  async findEnvironmentByKeyHash(hash: string) {
    return this.#repository.findEnvironmentByKeyHash(hash);
  }

  async findAccessToken(hash: string) {
    return this.#repository.findAccessToken(hash);
  }

  async findEnvironment(organizationId: string, projectRef: string, slug: string) {
    return this.#repository.findEnvironment(organizationId, projectRef, slug);
  }

  async findEnvironmentByKey(environmentKey: string) {
    return this.#repository.findEnvironmentByKey(environmentKey);
  }

  async createDeployment(input: DeploymentInput) {
    return this.#repository.createDeployment(input);
  }

  async findDeployment(id: string) {
    return this.#repository.findDeployment(id);
  }

  async findDeploymentByVersion(environmentKey: string, version: string) {
    return this.#repository.findDeploymentByVersion(environmentKey, version);
  }

  async listDeployments(environmentKey: string, limit: number) {
    return this.#repository.listDeployments(environmentKey, limit);
  }

  async markPromoted(id: string) {
    return this.#repository.markPromoted(id);
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

  async ping() {
    return this.#repository.ping();
  }
}
