import type { AlertRuleBody } from "@acme/sdk/contract/api";
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { organizationKeys } from "./sqlite-control-schema.ts";

/** Where an environment's alerts go. */
export const alertChannels = sqliteTable(
  "alert_channels",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key").notNull(),
    type: text().$type<"webhook" | "email" | "slack">().notNull(),
    name: text().notNull(),
    /** What may be shown of where it goes. */
    target: text().notNull(),
    /** Sealed with the organization's key of this id: URLs, secrets and addresses. */
    sealed: text().notNull(),
    keyId: text("key_id")
      .notNull()
      .references(() => organizationKeys.id),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("alert_channels_of_environment").on(table.environmentKey, table.createdAt),
    index("alert_channels_of_key").on(table.keyId),
  ],
);

/** What an environment alerts on. */
export const alertRules = sqliteTable(
  "alert_rules",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key").notNull(),
    rule: text({ mode: "json" }).$type<AlertRuleBody>().notNull(),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [index("alert_rules_of_environment").on(table.environmentKey, table.createdAt)],
);
