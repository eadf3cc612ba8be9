import type { AlertRuleBody } from "@acme/sdk/contract/api";
import { bigint, index, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { organizationKeys } from "./postgres-control-schema.ts";

const millis = (name: string) => bigint(name, { mode: "number" });

/** Where an environment's alerts go. */
export const alertChannels = pgTable(
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
    createdAt: millis("created_at").notNull(),
  },
  (table) => [
    index("alert_channels_of_environment").on(table.environmentKey, table.createdAt),
    index("alert_channels_of_key").on(table.keyId),
  ],
);

/** What an environment alerts on. */
export const alertRules = pgTable(
  "alert_rules",
  {
    id: text().primaryKey(),
    environmentKey: text("environment_key").notNull(),
    rule: jsonb().$type<AlertRuleBody>().notNull(),
    createdAt: millis("created_at").notNull(),
    updatedAt: millis("updated_at").notNull(),
  },
  (table) => [index("alert_rules_of_environment").on(table.environmentKey, table.createdAt)],
);
