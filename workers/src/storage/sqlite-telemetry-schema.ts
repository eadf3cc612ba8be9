import { index, integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { type ClassColumn, COUNT_COLUMNS, classColumns } from "./rollup-columns.ts";

/** Failed runs by their error. A row is written together with rows of runs: see `run-facts.ts`. */
export const errorGroups = sqliteTable(
  "error_groups",
  {
    environmentKey: text("environment_key").notNull(),
    fingerprint: text().notNull(),
    task: text().notNull(),
    /** The error's type. */
    name: text().notNull(),
    message: text().notNull(),
    firstSeen: integer("first_seen").notNull(),
    lastSeen: integer("last_seen").notNull(),
    count: integer().notNull(),
    /** The newest version that failed with it, as `versionKey` writes it; empty: none has a version. */
    lastVersion: text("last_version").notNull(),
    status: text().$type<"unresolved" | "resolved" | "ignored">().notNull().default("unresolved"),
    resolvedAt: integer("resolved_at"),
    /** As `versionKey` writes it. */
    resolvedInVersion: text("resolved_in_version"),
    resolvedBy: text("resolved_by"),
    ignoredAt: integer("ignored_at"),
    ignoredUntil: integer("ignored_until"),
    /** The count at which it comes back. */
    ignoredUntilCount: integer("ignored_until_count"),
    /** Occurrences in a minute over which it comes back. */
    ignoredUntilRate: real("ignored_until_rate"),
    ignoredReason: text("ignored_reason"),
    ignoredBy: text("ignored_by"),
    reopenedAt: integer("reopened_at"),
    /** The minute in which it was seen last, and how often in that minute. */
    minute: integer().notNull(),
    minuteCount: integer("minute_count").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.environmentKey, table.fingerprint] }),
    index("error_groups_last_seen").on(table.environmentKey, table.lastSeen, table.fingerprint),
  ],
);

/** How often each error was seen in each hour, by version. */
export const errorCounts = sqliteTable(
  "error_counts",
  {
    environmentKey: text("environment_key").notNull(),
    fingerprint: text().notNull(),
    /** Milliseconds since the epoch. */
    hour: integer().notNull(),
    /** As `versionKey` writes it; empty: none. */
    version: text().notNull(),
    count: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.environmentKey, table.fingerprint, table.hour, table.version] }),
    index("error_counts_of_hour").on(table.environmentKey, table.hour),
  ],
);

const counts = () =>
  Object.fromEntries(COUNT_COLUMNS.map((name) => [name, integer().notNull()])) as Record<
    (typeof COUNT_COLUMNS)[number],
    ReturnType<ReturnType<typeof integer>["notNull"]>
  >;
const classes = () =>
  Object.fromEntries(
    [...classColumns("delay"), ...classColumns("duration")].map((name) => [name, integer().notNull()]),
  ) as Record<ClassColumn, ReturnType<ReturnType<typeof integer>["notNull"]>>;

/** What happened to runs in each minute and hour. Written where rows of runs are: see `run-facts.ts`. */
export const runRollups = sqliteTable(
  "run_rollups",
  {
    environmentKey: text("environment_key").notNull(),
    /** Length of the step, in milliseconds. */
    step: integer().notNull(),
    /** When it begins. */
    time: integer().notNull(),
    task: text().notNull(),
    queue: text().notNull(),
    machine: text().notNull(),
    usageMs: real("usage_ms").notNull(),
    ...counts(),
    ...classes(),
  },
  (table) => [
    primaryKey({
      columns: [table.environmentKey, table.step, table.time, table.task, table.queue, table.machine],
    }),
  ],
);
