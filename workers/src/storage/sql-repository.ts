import type { EnvironmentRef, RunRow, WaitpointRow } from "@acme/durable-objects/rpc";
import { newId, type RunStatus } from "@acme/sdk/contract";
import { and, asc, desc, eq, gt, gte, isNull, lt, ne, notInArray, or, type SQL, sql } from "drizzle-orm";
import { BUILD_DEADLINE_MS } from "../runs/deployment-state.ts";
import { selectBatchIds } from "./batch-queries.ts";
import type {
  AccessToken,
  DeploymentInput,
  DeploymentListOptions,
  DeploymentRecord,
  Repository,
  RunFilter,
  RunListing,
  RunPage,
  WaitpointFilter,
  WaitpointListing,
  WaitpointPage,
} from "./repository.ts";
import { branchesOf } from "./run-filter.ts";
import { EMPTY_LISTING, listingOf, startOf } from "./run-pages.ts";
import { countByStatus, countUnfinished, selectBranch, selectOfEnvironments } from "./run-queries.ts";
import { selectEnvironments } from "./select-environments.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { listWaitpoints, upsertWaitpoint } from "./waitpoint-queries.ts";

/** The use of a key or token is recorded at most once in this time. */
const USE_RESOLUTION_MS = 60_000;

/** The query side over a SQL database. */
export class SqlRepository implements Repository {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  get #db() {
    return this.#database.db;
  }

  get #tables() {
    return this.#database.tables;
  }

  async findEnvironmentByKeyHash(hash: string): Promise<EnvironmentRef | null> {
    const { apiKeys, environments } = this.#tables;
    const key = this.#db
      .select({ key: apiKeys.environmentKey })
      .from(apiKeys)
      .where(and(eq(apiKeys.hash, hash), or(isNull(apiKeys.revokedAt), gt(apiKeys.revokedAt, Date.now()))));
    const where = and(
      eq(environments.key, sql`(${key})`),
      isNull(this.#tables.projects.deletedAt),
      isNull(environments.archivedAt),
    );
    return (await this.#environments(where))[0] ?? null;
  }

  async findAccessToken(hash: string): Promise<AccessToken | null> {
    const { accessTokens, users } = this.#tables;
    const { id, organizationId, name, scopes, expiresAt, userId } = accessTokens;
    const rows = await this.#db
      .select({
        id,
        organizationId,
        name,
        scopes,
        expiresAt,
        userId,
        user: { id: users.id, email: users.email, name: users.name, image: users.image },
      })
      .from(accessTokens)
      .leftJoin(users, eq(users.id, userId))
      .where(and(eq(accessTokens.hash, hash), isNull(accessTokens.revokedAt)));
    return rows[0] ?? null;
  }

  async markUsed(kind: "key" | "accessToken", hash: string): Promise<void> {
    const table = kind === "key" ? this.#tables.apiKeys : this.#tables.accessTokens;
    const now = Date.now();
    const isDue = or(isNull(table.lastUsedAt), lt(table.lastUsedAt, now - USE_RESOLUTION_MS));
    await this.#db
      .update(table)
      .set({ lastUsedAt: now })
      .where(and(eq(table.hash, hash), isDue));
  }

  async findEnvironment(
    organizationId: string,
    projectRef: string,
    slug: string,
  ): Promise<EnvironmentRef | null> {
    const { organizations, projects, environments } = this.#tables;
    const where = and(
      eq(organizations.id, organizationId),
      eq(projects.ref, projectRef),
      eq(environments.slug, slug),
      isNull(projects.deletedAt),
      isNull(environments.archivedAt),
    );
    return (await this.#environments(where))[0] ?? null;
  }

  async findEnvironmentOfProject(projectRef: string, slug: string): Promise<EnvironmentRef | null> {
    const { projects, environments } = this.#tables;
    const named = and(eq(projects.ref, projectRef), eq(environments.slug, slug));
    const where = and(named, isNull(projects.deletedAt), isNull(environments.archivedAt));
    return (await this.#environments(where))[0] ?? null;
  }

  environmentsOfOrganization(organizationSlug: string): Promise<EnvironmentRef[]> {
    return this.#environments(eq(this.#tables.organizations.slug, organizationSlug));
  }

  async findEnvironmentByKey(environmentKey: string): Promise<EnvironmentRef | null> {
    const { projects, environments } = this.#tables;
    const where = and(eq(environments.key, environmentKey), isNull(projects.deletedAt));
    return (await this.#environments(where))[0] ?? null;
  }

  async createDeployment({ image, ...input }: DeploymentInput): Promise<DeploymentRecord> {
    const { deployments } = this.#tables;
    const { environmentKey } = input;
    const built =
      image && ({ status: "BUILDING", hasImage: true, imageRepository: image.repository } as const);
    const createdAt = Date.now();
    const day = new Date(createdAt).toISOString().slice(0, 10).replaceAll("-", "");
    // Finds the next number and takes it in one statement. It is compared as a number, because as texts .9
    // sorts after .10.
    const version = sql<string>`${`${day}.`} || (
      SELECT coalesce(max(CAST(substr(version, 10) AS INTEGER)), 0) + 1 FROM deployments
      WHERE environment_key = ${environmentKey} AND version LIKE ${`${day}.%`})`;
    const rows = await this.#database.oneDeploymentAtATime(environmentKey, async (db) =>
      db
        .insert(deployments)
        .values({ ...input, ...built, id: newId("deployment"), version, createdAt })
        .returning(),
    );
    return this.#one(rows);
  }

  async pruneDeployments(environmentKey: string, keep: number): Promise<void> {
    const { deployments } = this.#tables;
    const ofEnvironment = eq(deployments.environmentKey, environmentKey);
    const kept = this.#db
      .select({ id: deployments.id })
      .from(deployments)
      .where(ofEnvironment)
      .orderBy(desc(deployments.createdAt), desc(deployments.id))
      .limit(keep);
    await this.#db.delete(deployments).where(and(ofEnvironment, notInArray(deployments.id, kept)));
  }

  async isBundleKept(contentHash: string): Promise<boolean> {
    const { deployments } = this.#tables;
    const found = await this.#db
      .select({ id: deployments.id })
      .from(deployments)
      .where(
        and(
          eq(deployments.contentHash, contentHash),
          isNull(deployments.collectedAt),
          ne(deployments.status, "FAILED"),
        ),
      )
      .limit(1);
    return found.length > 0;
  }

  async markCollected(id: string, at: number | null): Promise<void> {
    const { deployments } = this.#tables;
    await this.#db.update(deployments).set({ collectedAt: at }).where(eq(deployments.id, id));
  }

  async findDeployment(id: string): Promise<DeploymentRecord | null> {
    const { deployments } = this.#tables;
    return (await this.#db.select().from(deployments).where(eq(deployments.id, id)))[0] ?? null;
  }

  async findDeploymentByVersion(environmentKey: string, version: string): Promise<DeploymentRecord | null> {
    const { deployments } = this.#tables;
    const where = and(eq(deployments.environmentKey, environmentKey), eq(deployments.version, version));
    return (await this.#db.select().from(deployments).where(where))[0] ?? null;
  }

  async listDeployments(
    environmentKey: string,
    limit: number,
    { after, status, kept }: DeploymentListOptions = {},
  ): Promise<DeploymentRecord[]> {
    const { deployments } = this.#tables;
    const older =
      after === undefined
        ? undefined
        : sql`${deployments.createdAt} < (SELECT created_at FROM deployments WHERE id = ${after} AND environment_key = ${environmentKey})`;
    return this.#db
      .select()
      .from(deployments)
      .where(
        and(
          eq(deployments.environmentKey, environmentKey),
          older,
          this.#inState(status),
          kept ? isNull(deployments.collectedAt) : undefined,
        ),
      )
      .orderBy(
        desc(deployments.createdAt),
        desc(sql`length(${deployments.version})`),
        desc(deployments.version),
      )
      .limit(limit);
  }

  /** A build that takes too long is stored as BUILDING: its age makes it TIMED_OUT. */
  #inState(status: string | undefined) {
    const { deployments } = this.#tables;
    if (status === undefined) return undefined;
    const oldest = Date.now() - BUILD_DEADLINE_MS;
    if (status === "TIMED_OUT")
      return and(eq(deployments.status, "BUILDING"), lt(deployments.createdAt, oldest));
    if (status === "BUILDING")
      return and(eq(deployments.status, "BUILDING"), gte(deployments.createdAt, oldest));
    return sql`${deployments.status} = ${status}`;
  }

  async markPromoted(id: string, at = Date.now()): Promise<void> {
    const { deployments } = this.#tables;
    await this.#db
      .update(deployments)
      .set({ promotedAt: at, collectedAt: null })
      .where(eq(deployments.id, id));
  }

  async finishBuild(
    id: string,
    result: { imageDigest: string } | { failure: string },
  ): Promise<DeploymentRecord | null> {
    const { deployments } = this.#tables;
    const status = "failure" in result ? ("FAILED" as const) : ("DEPLOYED" as const);
    await this.#db
      .update(deployments)
      .set({ ...result, status, finishedAt: Date.now() })
      .where(and(eq(deployments.id, id), eq(deployments.status, "BUILDING")));
    return this.findDeployment(id);
  }

  async upsertRuns(rows: RunRow[]): Promise<void> {
    if (rows.length > 0) await this.#database.upsertRuns(rows);
  }

  async findRun(environmentKey: string, runId: string): Promise<RunRow | null> {
    const { runs } = this.#tables;
    const where = and(eq(runs.id, runId), eq(runs.environmentKey, environmentKey));
    return (await this.#db.select().from(runs).where(where))[0] ?? null;
  }

  async listRuns(environmentKey: string, filter: RunFilter, page: RunPage): Promise<RunListing> {
    const start = startOf([environmentKey], page);
    if (!start) return EMPTY_LISTING;
    const found = await Promise.all(
      branchesOf(filter).map((branch) =>
        selectBranch(this.#database, environmentKey, filter, branch, start, page.limit + 1),
      ),
    );
    return listingOf(found, page.limit, start);
  }

  async listRunsOf(environmentKeys: string[], filter: RunFilter, page: RunPage): Promise<RunListing> {
    const start = startOf(environmentKeys, page);
    const branches = branchesOf(filter);
    if (!start || branches.length === 0 || environmentKeys.length === 0) return EMPTY_LISTING;
    const limit = page.limit + 1;
    const runs = await selectOfEnvironments(this.#database, environmentKeys, filter, branches, start, limit);
    return listingOf([runs], page.limit, start);
  }

  async countRuns(environmentKey: string, filter: RunFilter): Promise<Partial<Record<RunStatus, number>>> {
    if (branchesOf(filter).length === 0) return {};
    const counts = await countByStatus(this.#database, environmentKey, filter);
    const wanted = [...counts].filter(
      ([status, count]) => count > 0 && (!filter.statuses || filter.statuses.includes(status)),
    );
    return Object.fromEntries(wanted);
  }

  async countUnfinished(environmentKey: string): Promise<Partial<Record<RunStatus, number>>> {
    const counts = await countUnfinished(this.#database, environmentKey);
    return Object.fromEntries(counts.map(({ status, count }) => [status, count]));
  }

  async listBatchIds(environmentKey: string, limit: number, after?: string): Promise<string[]> {
    const rows = await selectBatchIds(this.#database, environmentKey, limit, after);
    return rows.map(({ id }) => id);
  }

  async upsertWaitpoints(rows: WaitpointRow[]): Promise<void> {
    for (const row of rows) await upsertWaitpoint(this.#database, row);
  }

  async listWaitpoints(
    environmentKey: string,
    filter: WaitpointFilter,
    page: WaitpointPage,
  ): Promise<WaitpointListing> {
    return listWaitpoints(this.#database, environmentKey, filter, page);
  }

  async ping(): Promise<void> {
    const { runs } = this.#tables;
    await this.#db.select({ id: runs.id }).from(runs).limit(1);
  }

  async #environments(where: SQL | undefined): Promise<EnvironmentRef[]> {
    return selectEnvironments(this.#database).where(where).orderBy(asc(this.#tables.environments.slug));
  }

  /** Returns the row, which must exist. */
  async #one<T>(rows: PromiseLike<T[]> | T[]): Promise<T> {
    const row = (await rows)[0];
    if (!row) throw new Error("The database did not return the row that was just written");
    return row;
  }
}
