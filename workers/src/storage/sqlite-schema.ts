import type { EnvironmentRef, WaitpointRow } from "@acme/durable-objects/rpc";
import type { RunStatus, WorkerManifest } from "@acme/sdk/contract";
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { NOT_SUCCEEDED } from "./not-succeeded.ts";

export * from "./sqlite-alert-schema.ts";
export * from "./sqlite-control-schema.ts";
export * from "./sqlite-people-schema.ts";
export * from "./sqlite-telemetry-schema.ts";

/**
 * The query side on SQLite: D1 on Cloudflare, a SQLite-backed object on one machine. `postgres-schema.ts` has the same
 * tables; a change here is made there too (the two row types are compared where they meet). Times are milliseconds
 * since the epoch. After a change: `npm run migrations`.
 */

export const organizations = sqliteTable("organizations", {
  id: text().primaryKey(),
  slug: text().notNull().unique(),
  name: text().notNull(),
  createdAt: integer("created_at").notNull(),
  /** Most runs that one of its environments may execute at once, set by the operator; null: no such limit. */
  concurrencyCeiling: integer("concurrency_ceiling"),
  /** Weight of its environments, set by the operator; null: the default. */
  weight: real(),
});

export const projects = sqliteTable(
  "projects",
  {
    id: text().primaryKey(),
    ref: text().notNull().unique(),
    name: text().notNull(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    createdAt: integer("created_at").notNull(),
    /** Nothing of a deleted project is shown or accepted. Its ref is never given to another one. */
    deletedAt: integer("deleted_at"),
  },
  (table) => [index("projects_of_organization").on(table.organizationId, table.ref)],
);

export const environments = sqliteTable(
  "environments",
  {
    /** 8 base-36 characters: the name of the environment's object, and the start of its runs' ids. */
    key: text().primaryKey(),
    id: text().notNull().unique(),
    projectId: text("project_id")
      .notNull()
      .references(() => projects.id),
    slug: text().notNull(),
    type: text().$type<EnvironmentRef["type"]>().notNull(),
    createdAt: integer("created_at").notNull(),
    /** Whose development environment it is; null: everybody's. */
    userId: text("user_id"),
    /** For a branch of a preview environment: the key of that environment, and the branch's name. */
    parentKey: text("parent_key"),
    branch: text(),
    /** A branch that was archived takes no triggers; its runs are there until their retention ends. */
    archivedAt: integer("archived_at"),
  },
  (table) => [
    uniqueIndex("environments_project_slug").on(table.projectId, table.slug),
    uniqueIndex("environments_branch").on(table.parentKey, table.branch).where(sql`parent_key IS NOT NULL`),
  ],
);

/** Secret keys, by the SHA-256 of the key: the key itself is shown once and kept nowhere. */
export const apiKeys = sqliteTable(
  "api_keys",
  {
    hash: text().primaryKey(),
    environmentKey: text("environment_key")
      .notNull()
      .references(() => environments.key),
    createdAt: integer("created_at").notNull(),
    revokedAt: integer("revoked_at"),
    /** What it is for. Keys that replace one another have the same name. */
    name: text().notNull().default("default"),
    /** How the key begins, for people; null: only its hash was ever known here. */
    start: text(),
    /** As the audit log names them; null: the operator. */
    createdBy: text("created_by"),
    /** Written once a minute at most. */
    lastUsedAt: integer("last_used_at"),
  },
  (table) => [index("api_keys_newest").on(table.environmentKey, table.createdAt, table.hash)],
);

/** Access tokens of one organization, by their SHA-256. */
export const accessTokens = sqliteTable(
  "access_tokens",
  {
    hash: text().primaryKey(),
    id: text().notNull().unique(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    createdAt: integer("created_at").notNull(),
    revokedAt: integer("revoked_at"),
    /** Whose it is; null: the organization's own, made by the operator. */
    userId: text("user_id"),
    name: text().notNull().default("access token"),
    /** How the token begins, for people; null: only its hash was ever known here. */
    start: text(),
    /** With spaces between them. */
    scopes: text().notNull().default("admin"),
    /** Written once a minute at most. */
    lastUsedAt: integer("last_used_at"),
    /** Null: it does not expire. */
    expiresAt: integer("expires_at"),
  },
  (table) => [index("access_tokens_of_user").on(table.userId, table.createdAt)],
);

export const deployments = sqliteTable(
  "deployments",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key")
      .notNull()
      .references(() => environments.key),
    version: text().notNull(),
    contentHash: text("content_hash").notNull(),
    bundleBytes: integer("bundle_bytes").notNull(),
    manifest: text({ mode: "json" }).$type<WorkerManifest>().notNull(),
    createdAt: integer("created_at").notNull(),
    promotedAt: integer("promoted_at"),
    /** From when on nothing new may need its bundle, which is deleted then; null: it is kept. */
    collectedAt: integer("collected_at"),
    status: text().$type<"BUILDING" | "DEPLOYED" | "FAILED">().notNull().default("DEPLOYED"),
    /** When its build ended; null: it has not, or there was none. */
    finishedAt: integer("finished_at"),
    /** Why its build failed. */
    failure: text(),
    /** It executes in an image of its own. */
    hasImage: integer("has_image", { mode: "boolean" }).notNull().default(false),
    /** Null: the image is on the Docker Engine that built it, and nowhere else. */
    imageRepository: text("image_repository"),
    imageDigest: text("image_digest"),
  },
  (table) => [
    uniqueIndex("deployments_version").on(table.environmentKey, table.version),
    index("deployments_newest").on(table.environmentKey, table.createdAt, table.id),
  ],
);

/**
 * Runs as their objects last reported them: a column for each field of `RunRow`.
 *
 * Every run in the system passes here several times, and each index costs a write whenever one of its columns changes
 * (D1 bills it as a row, too). So the indexes are of columns that never change after a run's first row, or of few rows:
 *  - runs_newest: the list, newest first; and, being all of it, the count of an interval.
 *  - runs_of_task: the same for one task, the page that is looked at most.
 *  - runs_not_succeeded: by status, of runs that have not succeeded: what is live and what went wrong, each a small part
 *    of a long history. A run that succeeds leaves it, and one that the objects report once (they gather changes for
 *    250 ms) never enters. A list of successes reads runs_newest, where they are most of what it meets.
 *  - runs_of_batch, _root, _parent, _schedule, _error: only of runs that have one; the others pay nothing.
 * Every list ends in (created_at, id), so any page is one seek. Measured with 200,000 rows on node:sqlite (rows/s,
 * inserts and updates): none but the first 70k/62k, these 53k/58k, an index of all statuses 58k/50k with 20 % more bytes.
 * Other filters (queue, version, machine) are tested as one of these is walked.
 */
export const runs = sqliteTable(
  "runs",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key").notNull(),
    task: text().notNull(),
    queue: text().notNull(),
    status: text().$type<RunStatus>().notNull(),
    version: integer().notNull(),
    concurrencyKey: text("concurrency_key"),
    tags: text({ mode: "json" }).$type<string[]>().notNull(),
    isTest: integer("is_test", { mode: "boolean" }).notNull(),
    priorityMs: integer("priority_ms").notNull(),
    attempts: integer().notNull(),
    maxAttempts: integer("max_attempts"),
    machine: text().notNull(),
    deploymentId: text("deployment_id"),
    deploymentVersion: text("deployment_version"),
    idempotencyKey: text("idempotency_key"),
    idempotencyKeyExpiresAt: integer("idempotency_key_expires_at"),
    userIdempotencyKey: text("user_idempotency_key"),
    idempotencyKeyScope: text("idempotency_key_scope"),
    ttlMs: integer("ttl_ms"),
    delayUntil: integer("delay_until"),
    createdAt: integer("created_at").notNull(),
    queuedAt: integer("queued_at"),
    startedAt: integer("started_at"),
    completedAt: integer("completed_at"),
    expiredAt: integer("expired_at"),
    updatedAt: integer("updated_at").notNull(),
    usageMs: real("usage_ms").notNull(),
    maxDuration: integer("max_duration"),
    depth: integer().notNull(),
    parentRunId: text("parent_run_id"),
    rootRunId: text("root_run_id"),
    batchId: text("batch_id"),
    scheduleId: text("schedule_id"),
    replayedFrom: text("replayed_from"),
    bulkActions: text("bulk_actions", { mode: "json" }).$type<string[]>().notNull().default([]),
    errorMessage: text("error_message"),
    errorName: text("error_name"),
    errorFingerprint: text("error_fingerprint"),
  },
  (table) => [
    index("runs_newest").on(table.environmentKey, table.createdAt, table.id),
    index("runs_of_task").on(table.environmentKey, table.task, table.createdAt, table.id),
    index("runs_not_succeeded")
      .on(table.environmentKey, table.status, table.createdAt, table.id)
      .where(NOT_SUCCEEDED),
    index("runs_of_batch")
      .on(table.environmentKey, table.batchId, table.createdAt, table.id)
      .where(sql`batch_id IS NOT NULL`),
    index("runs_of_root")
      .on(table.environmentKey, table.rootRunId, table.createdAt, table.id)
      .where(sql`root_run_id IS NOT NULL`),
    index("runs_of_parent")
      .on(table.environmentKey, table.parentRunId, table.createdAt, table.id)
      .where(sql`parent_run_id IS NOT NULL`),
    index("runs_of_schedule")
      .on(table.environmentKey, table.scheduleId, table.createdAt, table.id)
      .where(sql`schedule_id IS NOT NULL`),
    index("runs_of_error")
      .on(table.environmentKey, table.errorFingerprint, table.createdAt, table.id)
      .where(sql`error_fingerprint IS NOT NULL`),
  ],
);

/**
 * Tags and bulk actions of runs that have any, in the order of their lists; a run without costs nothing. It may name tags that a run has
 * no more, so a list by tag or by bulk action tests the run's own columns too. WITHOUT ROWID (which drizzle-kit can't say: it is added to the
 * generated SQL, and a test looks for it) makes the primary key the table: half the bytes and one write a tag, not two.
 */
export const runTags = sqliteTable(
  "run_tags",
  {
    environmentKey: text("environment_key").notNull(),
    tag: text().notNull(),
    createdAt: integer("created_at").notNull(),
    runId: text("run_id").notNull(),
  },
  (table) => [primaryKey({ columns: [table.environmentKey, table.tag, table.createdAt, table.runId] })],
);

/**
 * Waitpoint tokens as their objects last reported them. Their ids sort by creation, so every list ends in the id: all tokens
 * are the primary key's, and those of a status or idempotency key have an index each.
 */
export const waitpoints = sqliteTable(
  "waitpoints",
  {
    environmentKey: text("environment_key").notNull(),
    id: text().notNull(),
    status: text().$type<WaitpointRow["status"]>().notNull(),
    version: integer().notNull(),
    tags: text({ mode: "json" }).$type<string[]>().notNull(),
    title: text(),
    idempotencyKey: text("idempotency_key"),
    idempotencyKeyExpiresAt: integer("idempotency_key_expires_at"),
    createdAt: integer("created_at").notNull(),
    timeoutAt: integer("timeout_at"),
    completedAt: integer("completed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.environmentKey, table.id] }),
    index("waitpoints_of_status").on(table.environmentKey, table.status, table.id),
    index("waitpoints_of_idempotency_key")
      .on(table.environmentKey, table.idempotencyKey, table.id)
      .where(sql`idempotency_key IS NOT NULL`),
  ],
);
