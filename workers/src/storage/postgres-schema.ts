import type { EnvironmentRef, WaitpointRow } from "@acme/durable-objects/rpc";
import type { RunStatus, WorkerManifest } from "@acme/sdk/contract";
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  doublePrecision,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { NOT_SUCCEEDED } from "./not-succeeded.ts";

export * from "./postgres-alert-schema.ts";
export * from "./postgres-control-schema.ts";
export * from "./postgres-people-schema.ts";
export * from "./postgres-telemetry-schema.ts";

/**
 * The query side on Postgres: the tables of `sqlite-schema.ts`, which says why they and their indexes are as they are.
 * Times are milliseconds since the epoch.
 */

const millis = (name: string) => bigint(name, { mode: "number" });

export const organizations = pgTable("organizations", {
  id: text().primaryKey(),
  slug: text().notNull().unique(),
  name: text().notNull(),
  createdAt: millis("created_at").notNull(),
  /** Most runs that one of its environments may execute at once, set by the operator; null: no such limit. */
  concurrencyCeiling: integer("concurrency_ceiling"),
  /** Weight of its environments, set by the operator; null: the default. */
  weight: doublePrecision(),
});

export const projects = pgTable(
  "projects",
  {
    id: text().primaryKey(),
    ref: text().notNull().unique(),
    name: text().notNull(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    createdAt: millis("created_at").notNull(),
    /** Nothing of a deleted project is shown or accepted. Its ref is never given to another one. */
    deletedAt: millis("deleted_at"),
  },
  (table) => [index("projects_of_organization").on(table.organizationId, table.ref)],
);

export const environments = pgTable(
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
    createdAt: millis("created_at").notNull(),
    /** Whose development environment it is; null: everybody's. */
    userId: text("user_id"),
    /** For a branch of a preview environment: the key of that environment, and the branch's name. */
    parentKey: text("parent_key"),
    branch: text(),
    /** A branch that was archived takes no triggers; its runs are there until their retention ends. */
    archivedAt: millis("archived_at"),
  },
  (table) => [
    uniqueIndex("environments_project_slug").on(table.projectId, table.slug),
    uniqueIndex("environments_branch").on(table.parentKey, table.branch).where(sql`parent_key IS NOT NULL`),
  ],
);

/** Secret keys, by the SHA-256 of the key: the key itself is shown once and kept nowhere. */
export const apiKeys = pgTable(
  "api_keys",
  {
    hash: text().primaryKey(),
    environmentKey: text("environment_key")
      .notNull()
      .references(() => environments.key),
    createdAt: millis("created_at").notNull(),
    revokedAt: millis("revoked_at"),
    /** What it is for. Keys that replace one another have the same name. */
    name: text().notNull().default("default"),
    /** How the key begins, for people; null: only its hash was ever known here. */
    start: text(),
    /** As the audit log names them; null: the operator. */
    createdBy: text("created_by"),
    /** Written once a minute at most. */
    lastUsedAt: millis("last_used_at"),
  },
  (table) => [index("api_keys_newest").on(table.environmentKey, table.createdAt, table.hash)],
);

/** Access tokens of one organization, by their SHA-256. */
export const accessTokens = pgTable(
  "access_tokens",
  {
    hash: text().primaryKey(),
    id: text().notNull().unique(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    createdAt: millis("created_at").notNull(),
    revokedAt: millis("revoked_at"),
    /** Whose it is; null: the organization's own, made by the operator. */
    userId: text("user_id"),
    name: text().notNull().default("access token"),
    /** How the token begins, for people; null: only its hash was ever known here. */
    start: text(),
    /** With spaces between them. */
    scopes: text().notNull().default("admin"),
    /** Written once a minute at most. */
    lastUsedAt: millis("last_used_at"),
    /** Null: it does not expire. */
    expiresAt: millis("expires_at"),
  },
  (table) => [index("access_tokens_of_user").on(table.userId, table.createdAt)],
);

export const deployments = pgTable(
  "deployments",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key")
      .notNull()
      .references(() => environments.key),
    version: text().notNull(),
    contentHash: text("content_hash").notNull(),
    bundleBytes: integer("bundle_bytes").notNull(),
    manifest: json().$type<WorkerManifest>().notNull(),
    createdAt: millis("created_at").notNull(),
    promotedAt: millis("promoted_at"),
    collectedAt: millis("collected_at"),
    status: text().$type<"BUILDING" | "DEPLOYED" | "FAILED">().notNull().default("DEPLOYED"),
    finishedAt: millis("finished_at"),
    failure: text(),
    hasImage: boolean("has_image").notNull().default(false),
    imageRepository: text("image_repository"),
    imageDigest: text("image_digest"),
  },
  (table) => [
    uniqueIndex("deployments_version").on(table.environmentKey, table.version),
    index("deployments_newest").on(table.environmentKey, table.createdAt, table.id),
  ],
);

/** Runs as their objects last reported them: a column for each field of `RunRow`. */
export const runs = pgTable(
  "runs",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key").notNull(),
    task: text().notNull(),
    queue: text().notNull(),
    status: text().$type<RunStatus>().notNull(),
    version: integer().notNull(),
    concurrencyKey: text("concurrency_key"),
    tags: jsonb().$type<string[]>().notNull(),
    isTest: boolean("is_test").notNull(),
    priorityMs: millis("priority_ms").notNull(),
    attempts: integer().notNull(),
    maxAttempts: integer("max_attempts"),
    machine: text().notNull(),
    deploymentId: text("deployment_id"),
    deploymentVersion: text("deployment_version"),
    idempotencyKey: text("idempotency_key"),
    idempotencyKeyExpiresAt: millis("idempotency_key_expires_at"),
    userIdempotencyKey: text("user_idempotency_key"),
    idempotencyKeyScope: text("idempotency_key_scope"),
    ttlMs: millis("ttl_ms"),
    delayUntil: millis("delay_until"),
    createdAt: millis("created_at").notNull(),
    queuedAt: millis("queued_at"),
    startedAt: millis("started_at"),
    completedAt: millis("completed_at"),
    expiredAt: millis("expired_at"),
    updatedAt: millis("updated_at").notNull(),
    usageMs: doublePrecision("usage_ms").notNull(),
    maxDuration: integer("max_duration"),
    depth: integer().notNull(),
    parentRunId: text("parent_run_id"),
    rootRunId: text("root_run_id"),
    batchId: text("batch_id"),
    scheduleId: text("schedule_id"),
    replayedFrom: text("replayed_from"),
    bulkActions: jsonb("bulk_actions").$type<string[]>().notNull().default([]),
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

/** Tags of runs that have any. */
export const runTags = pgTable(
  "run_tags",
  {
    environmentKey: text("environment_key").notNull(),
    tag: text().notNull(),
    createdAt: millis("created_at").notNull(),
    runId: text("run_id").notNull(),
  },
  (table) => [primaryKey({ columns: [table.environmentKey, table.tag, table.createdAt, table.runId] })],
);

export const waitpoints = pgTable(
  "waitpoints",
  {
    environmentKey: text("environment_key").notNull(),
    id: text().notNull(),
    status: text().$type<WaitpointRow["status"]>().notNull(),
    version: integer().notNull(),
    tags: jsonb().$type<string[]>().notNull(),
    title: text(),
    idempotencyKey: text("idempotency_key"),
    idempotencyKeyExpiresAt: millis("idempotency_key_expires_at"),
    createdAt: millis("created_at").notNull(),
    timeoutAt: millis("timeout_at"),
    completedAt: millis("completed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.environmentKey, table.id] }),
    index("waitpoints_of_status").on(table.environmentKey, table.status, table.id),
    index("waitpoints_of_idempotency_key")
      .on(table.environmentKey, table.idempotencyKey, table.id)
      .where(sql`idempotency_key IS NOT NULL`),
  ],
);
