import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { environments, organizations } from "./postgres-schema.ts";

/** Variables, the keys that seal them, and the audit log, on Postgres: the tables of `sqlite-control-schema.ts`. */

const millis = (name: string) => bigint(name, { mode: "number" });

/** Keys that seal an organization's secrets, themselves sealed by one of the Worker's `ENCRYPTION_KEYS`. */
export const organizationKeys = pgTable(
  "organization_keys",
  {
    id: text().primaryKey(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    /** Rises by one with each key of an organization: the highest seals what is new, all open what they sealed. */
    number: integer().notNull(),
    wrapped: text().notNull(),
    createdAt: millis("created_at").notNull(),
  },
  (table) => [uniqueIndex("organization_keys_number").on(table.organizationId, table.number)],
);

/** Environment variables. A branch has those of its preview environment, and its own in their place. */
export const variables = pgTable(
  "variables",
  {
    environmentKey: text("environment_key")
      .notNull()
      .references(() => environments.key),
    name: text().notNull(),
    /** Sealed with the organization's key of this id. */
    sealed: text().notNull(),
    keyId: text("key_id")
      .notNull()
      .references(() => organizationKeys.id),
    /** Its value is never shown again. */
    isSecret: boolean("is_secret").notNull(),
    createdAt: millis("created_at").notNull(),
    updatedAt: millis("updated_at").notNull(),
    /** Who set it last, as the audit log names them. */
    updatedBy: text("updated_by").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.environmentKey, table.name] }),
    index("variables_of_key").on(table.keyId),
  ],
);

/** Who did what: rows are only added. Their ids sort by time. What objects do is announced here before they do it. */
export const auditLog = pgTable(
  "audit_log",
  {
    id: text().primaryKey(),
    /** Null: what the operator did to the server as a whole. */
    organizationId: text("organization_id").references(() => organizations.id),
    at: millis("at").notNull(),
    actorType: text("actor_type").$type<"user" | "key" | "access_token" | "operator">().notNull(),
    /** Id of the person, key or token; null: the operator. */
    actorId: text("actor_id"),
    /** The person's address at that time, or the name of the key or token. */
    actorName: text("actor_name").notNull(),
    /** Such as `member.role_changed`. */
    action: text().notNull(),
    targetType: text("target_type").notNull(),
    targetId: text("target_id").notNull(),
    /** `PROJECTREF/ENVIRONMENT`, or the project's ref; null: of the whole organization. */
    scope: text(),
    /** What changed, small and without secrets. */
    details: jsonb().$type<Record<string, unknown>>().notNull(),
    /** Network address; null: unknown. */
    address: text(),
    userAgent: text("user_agent"),
    /** Whether it was announced: its outcome, once it is known, is in `audit_outcomes`. Otherwise it was done with this row. */
    announced: boolean("announced").notNull().default(false),
  },
  (table) => [index("audit_log_newest").on(table.organizationId, table.id)],
);

/** How what was announced ended: rows are only added. Without one, it is unknown whether it was done. */
export const auditOutcomes = pgTable("audit_outcomes", {
  auditId: text("audit_id")
    .primaryKey()
    .references(() => auditLog.id),
  at: millis("at").notNull(),
  outcome: text().$type<"succeeded" | "failed">().notNull(),
  /** Facts about the result, such as the id of what was created. */
  details: jsonb().$type<Record<string, unknown>>().notNull(),
});

export const bulkActions = pgTable(
  "bulk_actions",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key")
      .notNull()
      .references(() => environments.key),
    name: text(),
    type: text().$type<"CANCEL" | "REPLAY">().notNull(),
    status: text().$type<"PENDING" | "COMPLETED" | "ABORTED">().notNull(),
    total: integer().notNull(),
    success: integer().notNull(),
    failure: integer().notNull(),
    createdAt: millis("created_at").notNull(),
    completedAt: millis("completed_at"),
    failures: jsonb().$type<{ runId: string; error: string }[]>().notNull(),
  },
  (table) => [index("bulk_actions_newest").on(table.environmentKey, table.id)],
);
