import { bigint, doublePrecision, index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { type ClassColumn, COUNT_COLUMNS, classColumns } from "./rollup-columns.ts";

const millis = (name?: string) =>
  name === undefined ? bigint({ mode: "number" }) : bigint(name, { mode: "number" });

/** The tables of `sqlite-telemetry-schema.ts` on Postgres. */
export const errorGroups = pgTable(
  "error_groups",
  {
    environmentKey: text("environment_key").notNull(),
    fingerprint: text().notNull(),
    task: text().notNull(),
    /** The error's type. */
    name: text().notNull(),
    message: text().notNull(),
    firstSeen: millis("first_seen").notNull(),
    lastSeen: millis("last_seen").notNull(),
    count: millis().notNull(),
    /** The newest version that failed with it, as `versionKey` writes it; empty: none has a version. */
    lastVersion: text("last_version").notNull(),
    status: text().$type<"unresolved" | "resolved" | "ignored">().notNull().default("unresolved"),
    resolvedAt: millis("resolved_at"),
    /** As `versionKey` writes it. */
    resolvedInVersion: text("resolved_in_version"),
    resolvedBy: text("resolved_by"),
    ignoredAt: millis("ignored_at"),
    ignoredUntil: millis("ignored_until"),
    /** The count at which it comes back. */
    ignoredUntilCount: millis("ignored_until_count"),
    /** Occurrences in a minute over which it comes back. */
    ignoredUntilRate: doublePrecision("ignored_until_rate"),
    ignoredReason: text("ignored_reason"),
    ignoredBy: text("ignored_by"),
    reopenedAt: millis("reopened_at"),
    /** The minute in which it was seen last, and how often in that minute. */
    minute: millis().notNull(),
    minuteCount: integer("minute_count").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.environmentKey, table.fingerprint] }),
    index("error_groups_last_seen").on(table.environmentKey, table.lastSeen, table.fingerprint),
  ],
);

/** How often each error was seen in each hour, by version. */
export const errorCounts = pgTable(
  "error_counts",
  {
    environmentKey: text("environment_key").notNull(),
    fingerprint: text().notNull(),
    /** Milliseconds since the epoch. */
    hour: millis().notNull(),
    /** As `versionKey` writes it; empty: none. */
    version: text().notNull(),
    count: millis().notNull(),
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
export const runRollups = pgTable(
  "run_rollups",
  {
    environmentKey: text("environment_key").notNull(),
    /** Length of the step, in milliseconds. */
    step: integer().notNull(),
    /** When it begins. */
    time: millis().notNull(),
    task: text().notNull(),
    queue: text().notNull(),
    machine: text().notNull(),
    usageMs: doublePrecision("usage_ms").notNull(),
    ...counts(),
    ...classes(),
  },
  (table) => [
    primaryKey({
      columns: [table.environmentKey, table.step, table.time, table.task, table.queue, table.machine],
    }),
  ],
);
