import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** The query side on SQLite: D1 on Cloudflare, a SQLite-backed object on one machine. */

export const organizations = sqliteTable("organizations", {
  id: text().primaryKey(),
  slug: text().notNull().unique(),
  name: text().notNull(),
  createdAt: integer("created_at").notNull(),
});

export const projects = sqliteTable("projects", {
  id: text().primaryKey(),
  ref: text().notNull().unique(),
  name: text().notNull(),
  organizationId: text("organization_id")
    .notNull()
    .references(() => organizations.id),
  createdAt: integer("created_at").notNull(),
});

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
    type: text({ enum: ["DEVELOPMENT", "STAGING", "PREVIEW", "PRODUCTION"] }).notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("environments_project_slug").on(table.projectId, table.slug)],
);

/** Secret keys, by the SHA-256 of the key: the key itself is shown once and kept nowhere. */
export const apiKeys = sqliteTable("api_keys", {
  hash: text().primaryKey(),
  environmentKey: text("environment_key")
    .notNull()
    .references(() => environments.key),
  createdAt: integer("created_at").notNull(),
  revokedAt: integer("revoked_at"),
});

export const accessTokens = sqliteTable("access_tokens", {
  hash: text().primaryKey(),
  id: text().notNull().unique(),
  organizationId: text("organization_id")
    .notNull()
    .references(() => organizations.id),
  createdAt: integer("created_at").notNull(),
  revokedAt: integer("revoked_at"),
});

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
    manifest: text().notNull(),
    createdAt: integer("created_at").notNull(),
    promotedAt: integer("promoted_at"),
  },
  (table) => [
    uniqueIndex("deployments_version").on(table.environmentKey, table.version),
    index("deployments_newest").on(table.environmentKey, table.createdAt),
  ],
);

/**
 * Runs as the objects last told them. Each index costs a write whenever one of its columns changes, on the way of every
 * run, so there are two: the list (newest first) and the list of one task, neither of which changes after a run's first
 * row. Other filters narrow the list as it is walked; a run's id begins with its environment and queue, and created_at
 * comes before it in both, so a page is one seek.
 */
export const runs = sqliteTable(
  "runs",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key").notNull(),
    task: text().notNull(),
    queue: text().notNull(),
    status: text().notNull(),
    version: integer().notNull(),
    createdAt: integer("created_at").notNull(),
    deploymentVersion: text("deployment_version"),
    tags: text().notNull(),
    isTest: integer("is_test").notNull(),
    machine: text().notNull(),
    batchId: text("batch_id"),
    scheduleId: text("schedule_id"),
    rootRunId: text("root_run_id"),
    parentRunId: text("parent_run_id"),
    usageMs: real("usage_ms").notNull(),
    /** The whole row as the object told it (`RunRow`, JSON). */
    data: text().notNull(),
  },
  (table) => [
    index("runs_newest").on(table.environmentKey, table.createdAt, table.id),
    index("runs_of_task").on(table.environmentKey, table.task, table.createdAt, table.id),
  ],
);

/** Tags of runs that have any: a run without costs nothing here. */
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
