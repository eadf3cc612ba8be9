import type { EnvironmentRef, RunRow } from "@acme/durable-objects/rpc";
import { newId, randomBase36, type WorkerManifest } from "@acme/sdk/contract";
import { and, desc, eq, gt, gte, inArray, isNull, lt, lte, or, type SQL, sql } from "drizzle-orm";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import type {
  AccessToken,
  BootstrapInput,
  DeploymentRecord,
  Repository,
  RunFilter,
  RunListing,
  RunPage,
} from "./repository.ts";
import {
  accessTokens,
  apiKeys,
  deployments,
  environments,
  organizations,
  projects,
  runs,
  runTags,
} from "./schema.ts";

/** D1 (asynchronous) or the SQLite of an object (synchronous): awaiting serves both. */
export type SqliteDatabase = BaseSQLiteDatabase<"async" | "sync", unknown>;

const ENVIRONMENT_TYPES: Record<string, EnvironmentRef["type"]> = {
  dev: "DEVELOPMENT",
  staging: "STAGING",
  preview: "PREVIEW",
  prod: "PRODUCTION",
};

/** The query side over SQLite. */
export class SqliteRepository implements Repository {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  async bootstrap(input: BootstrapInput) {
    const createdAt = Date.now();
    await this.#db
      .insert(organizations)
      .values({ id: newId("org"), ...input.organization, createdAt })
      .onConflictDoNothing();
    const organization = await this.#one(
      this.#db.select().from(organizations).where(eq(organizations.slug, input.organization.slug)),
    );
    await this.#db
      .insert(projects)
      .values({ id: newId("project"), ...input.project, organizationId: organization.id, createdAt })
      .onConflictDoNothing();
    const project = await this.#one(
      this.#db.select().from(projects).where(eq(projects.ref, input.project.ref)),
    );
    for (const [slug, hash] of Object.entries(input.keyHashes)) {
      const type = ENVIRONMENT_TYPES[slug] ?? "PREVIEW";
      await this.#db
        .insert(environments)
        .values({ key: randomBase36(8), id: newId("env"), projectId: project.id, slug, type, createdAt })
        .onConflictDoNothing();
      const environment = await this.#one(
        this.#db
          .select()
          .from(environments)
          .where(and(eq(environments.projectId, project.id), eq(environments.slug, slug))),
      );
      await this.#db
        .insert(apiKeys)
        .values({ hash, environmentKey: environment.key, createdAt })
        .onConflictDoNothing();
    }
    await this.#db
      .insert(accessTokens)
      .values({ hash: input.accessTokenHash, id: newId("pat"), organizationId: organization.id, createdAt })
      .onConflictDoNothing();
    const rows = await this.#environments(eq(projects.id, project.id));
    return { organizationId: organization.id, environments: rows };
  }

  async findEnvironmentByKeyHash(hash: string): Promise<EnvironmentRef | null> {
    const key = (
      await this.#db
        .select()
        .from(apiKeys)
        .where(and(eq(apiKeys.hash, hash), isNull(apiKeys.revokedAt)))
    )[0];
    return key ? this.findEnvironmentByKey(key.environmentKey) : null;
  }

  async findAccessToken(hash: string): Promise<AccessToken | null> {
    const rows = await this.#db
      .select({ id: accessTokens.id, organizationId: accessTokens.organizationId })
      .from(accessTokens)
      .where(and(eq(accessTokens.hash, hash), isNull(accessTokens.revokedAt)));
    return rows[0] ?? null;
  }

  async findEnvironment(
    organizationId: string,
    projectRef: string,
    slug: string,
  ): Promise<EnvironmentRef | null> {
    const where = and(
      eq(organizations.id, organizationId),
      eq(projects.ref, projectRef),
      eq(environments.slug, slug),
    );
    return (await this.#environments(where))[0] ?? null;
  }

  async findEnvironmentByKey(environmentKey: string): Promise<EnvironmentRef | null> {
    return (await this.#environments(eq(environments.key, environmentKey)))[0] ?? null;
  }

  async createDeployment(input: {
    environmentKey: string;
    contentHash: string;
    bundleBytes: number;
    manifest: WorkerManifest;
  }): Promise<DeploymentRecord> {
    const createdAt = Date.now();
    const day = new Date(createdAt).toISOString().slice(0, 10).replaceAll("-", "");
    // One statement finds the next number and takes it, so two deployments at once can't get the same.
    const version = sql<string>`${day} || '.' || (
      SELECT coalesce(max(CAST(substr(version, 10) AS INTEGER)), 0) + 1 FROM deployments
      WHERE environment_key = ${input.environmentKey} AND version LIKE ${`${day}.%`})`;
    const rows = await this.#db
      .insert(deployments)
      .values({
        ...input,
        id: newId("deployment"),
        version,
        manifest: JSON.stringify(input.manifest),
        createdAt,
      })
      .returning();
    return toDeployment(rows[0] as typeof deployments.$inferSelect);
  }

  async findDeployment(id: string): Promise<DeploymentRecord | null> {
    const row = (await this.#db.select().from(deployments).where(eq(deployments.id, id)))[0];
    return row ? toDeployment(row) : null;
  }

  async findDeploymentByVersion(environmentKey: string, version: string): Promise<DeploymentRecord | null> {
    const where = and(eq(deployments.environmentKey, environmentKey), eq(deployments.version, version));
    const row = (await this.#db.select().from(deployments).where(where))[0];
    return row ? toDeployment(row) : null;
  }

  async listDeployments(environmentKey: string, limit: number): Promise<DeploymentRecord[]> {
    const rows = await this.#db
      .select()
      .from(deployments)
      .where(eq(deployments.environmentKey, environmentKey))
      .orderBy(desc(deployments.createdAt), desc(deployments.id))
      .limit(limit);
    return rows.map(toDeployment);
  }

  async markPromoted(id: string): Promise<void> {
    await this.#db.update(deployments).set({ promotedAt: Date.now() }).where(eq(deployments.id, id));
  }

  async upsertRuns(rows: RunRow[]): Promise<void> {
    if (rows.length === 0) return;
    // Rows travel as one JSON parameter: SQLite here takes 100 parameters a statement, and one statement for all is
    // what makes it fast. `WHERE true` tells the parser that ON CONFLICT doesn't belong to a join.
    const json = JSON.stringify(rows);
    await this.#db.run(sql`
      INSERT INTO runs (id, environment_key, task, queue, status, version, created_at, deployment_version, tags, is_test,
        machine, batch_id, schedule_id, root_run_id, parent_run_id, usage_ms, data)
      SELECT value ->> 'id', value ->> 'environmentKey', value ->> 'task', value ->> 'queue', value ->> 'status',
        value ->> 'version', value ->> 'createdAt', value ->> 'deploymentVersion', value -> 'tags', value ->> 'isTest',
        value ->> 'machine', value ->> 'batchId', value ->> 'scheduleId', value ->> 'rootRunId', value ->> 'parentRunId',
        value ->> 'usageMs', value
      FROM json_each(${json}) WHERE true
      ON CONFLICT (id) DO UPDATE SET status = excluded.status, version = excluded.version,
        deployment_version = excluded.deployment_version, tags = excluded.tags, usage_ms = excluded.usage_ms,
        data = excluded.data
      WHERE excluded.version > runs.version`);
    const tagged = rows.filter((row) => row.tags.length > 0);
    if (tagged.length === 0) return;
    await this.#db.run(sql`
      INSERT INTO run_tags (environment_key, tag, created_at, run_id)
      SELECT run.value ->> 'environmentKey', tag.value, run.value ->> 'createdAt', run.value ->> 'id'
      FROM json_each(${JSON.stringify(tagged)}) run, json_each(run.value, '$.tags') tag WHERE true
      ON CONFLICT DO NOTHING`);
  }

  async findRun(environmentKey: string, runId: string): Promise<RunRow | null> {
    const where = and(eq(runs.environmentKey, environmentKey), eq(runs.id, runId));
    const row = (await this.#db.select({ data: runs.data }).from(runs).where(where))[0];
    return row ? (JSON.parse(row.data) as RunRow) : null;
  }

  async listRuns(environmentKey: string, filter: RunFilter, page: RunPage): Promise<RunListing> {
    const backwards = page.before !== undefined;
    const anchor = page.before ?? page.after;
    const from = anchor ? await this.findRun(environmentKey, anchor) : null;
    const conditions = [eq(runs.environmentKey, environmentKey), ...conditionsOf(environmentKey, filter)];
    if (from) conditions.push(beyond(from, backwards));
    const order = backwards
      ? [sql`${runs.createdAt} ASC`, sql`${runs.id} ASC`]
      : [sql`${runs.createdAt} DESC`, sql`${runs.id} DESC`];
    // One more than asked for tells whether there is another page.
    const found = await this.#db
      .select({ data: runs.data })
      .from(runs)
      .where(and(...conditions))
      .orderBy(...order)
      .limit(page.limit + 1);
    const more = found.length > page.limit;
    const rows = found.slice(0, page.limit).map((row) => JSON.parse(row.data) as RunRow);
    if (backwards) rows.reverse();
    const hasNext = backwards ? from !== null : more;
    const hasPrevious = backwards ? more : from !== null;
    return {
      runs: rows,
      next: hasNext ? (rows.at(-1)?.id ?? null) : null,
      previous: hasPrevious ? (rows[0]?.id ?? null) : null,
    };
  }

  async ping(): Promise<void> {
    await this.#db.run(sql`SELECT 1`);
  }

  async #environments(where: SQL | undefined): Promise<EnvironmentRef[]> {
    return this.#db
      .select({
        key: environments.key,
        id: environments.id,
        slug: environments.slug,
        type: environments.type,
        project: { id: projects.id, ref: projects.ref, name: projects.name },
        organization: { id: organizations.id, slug: organizations.slug, name: organizations.name },
      })
      .from(environments)
      .innerJoin(projects, eq(projects.id, environments.projectId))
      .innerJoin(organizations, eq(organizations.id, projects.organizationId))
      .where(where);
  }

  async #one<T>(query: PromiseLike<T[]>): Promise<T> {
    return (await query)[0] as T;
  }
}

const toDeployment = (row: typeof deployments.$inferSelect): DeploymentRecord => ({
  ...row,
  manifest: JSON.parse(row.manifest) as WorkerManifest,
});

/** Rows past the anchor in the direction of the page. */
const beyond = (from: RunRow, backwards: boolean): SQL =>
  (backwards
    ? or(gt(runs.createdAt, from.createdAt), and(eq(runs.createdAt, from.createdAt), gt(runs.id, from.id)))
    : or(
        lt(runs.createdAt, from.createdAt),
        and(eq(runs.createdAt, from.createdAt), lt(runs.id, from.id)),
      )) as SQL;

function conditionsOf(environmentKey: string, filter: RunFilter): SQL[] {
  const conditions: (SQL | undefined)[] = [
    filter.statuses && inArray(runs.status, filter.statuses),
    filter.tasks && inArray(runs.task, filter.tasks),
    filter.versions && inArray(runs.deploymentVersion, filter.versions),
    filter.queues && inArray(runs.queue, filter.queues),
    filter.machines && inArray(runs.machine, filter.machines),
    filter.batch === undefined ? undefined : eq(runs.batchId, filter.batch),
    filter.schedule === undefined ? undefined : eq(runs.scheduleId, filter.schedule),
    filter.rootRunId === undefined ? undefined : eq(runs.rootRunId, filter.rootRunId),
    filter.parentRunId === undefined ? undefined : eq(runs.parentRunId, filter.parentRunId),
    filter.isTest === undefined ? undefined : eq(runs.isTest, filter.isTest ? 1 : 0),
    filter.from === undefined ? undefined : gte(runs.createdAt, filter.from),
    filter.to === undefined ? undefined : lte(runs.createdAt, filter.to),
  ];
  if (filter.tags) {
    const tagged = sql`${runs.id} IN (SELECT ${runTags.runId} FROM ${runTags} WHERE ${runTags.environmentKey} = ${environmentKey}
      AND ${inArray(runTags.tag, filter.tags)})`;
    conditions.push(tagged);
  }
  return conditions.filter((condition) => condition !== undefined);
}
