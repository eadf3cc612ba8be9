import type { StatementPlan } from "./statement-plans.ts";

/** Tables that may be scanned, and why. */
const MAY_SCAN: [why: string, detail: RegExp][] = [
  ["what the caller gave", /^SCAN (json_each|CONSTANT ROW)/],
  ["one row in each object", /^SCAN (batch|token)$/],
  ["whether the object has tables", /^SCAN sqlite_schema$/],
  [
    "at an object's start: what lives, never a backlog",
    /^SCAN (keys|lanes|changes|rates|limits|limit_keys|environments|sessions)$/,
  ],
  ["at an object's start: what lives, never a backlog", /^SCAN queues USING COVERING INDEX queues_active$/],
  ["at a promotion, or where queues are listed", /^SCAN queues USING COVERING INDEX queues_name$/],
  ["at the dispatcher's start, and when a host is lost", /^SCAN session_queues$/],
  ["at the dispatcher's start: registered hosts, never a backlog", /^SCAN hosts$/],
  ["at a feed's start: who watches it", /^SCAN (watched|watched_streams)$/],
  ["at a live object's start: queues that keep silent", /^SCAN silent$/],
  ["when a stream is created: a run has few", /^SCAN streams$/],
  ["once in an object's life", /^SCAN schedules USING COVERING INDEX sqlite_autoindex_schedules_1$/],
];

/** Whether a statement reads one row only. */
const isGlance = (query: string): boolean => /^SELECT 1 AS found FROM \w+ LIMIT 1$/.test(query);
/** Whether a statement is part of a migration, which runs once per object. */
const isMigration = (query: string): boolean =>
  (query.startsWith("INSERT INTO keys") && query.includes("SELECT")) ||
  query.startsWith("UPDATE runs SET kept_until = json_extract(") ||
  query.startsWith("UPDATE runs SET due_at = kept_until ") ||
  query.startsWith("INSERT INTO totals (name, value)\n    SELECT");

/** Returns the statements that read a backlog, or sort one. */
export const longReads = (plans: readonly StatementPlan[]): string[] =>
  plans
    .filter(({ query }) => !isGlance(query) && !isMigration(query))
    .flatMap(({ binding, query, plan }) =>
      plan
        .filter((detail) => /SCAN|TEMP B-TREE/.test(detail))
        .filter((detail) => !MAY_SCAN.some(([, allowed]) => allowed.test(detail)))
        .map((detail) => `${binding}: ${detail} in ${query}`),
    );

/**
 * Returns the statements that SQLite compiles again for each limit that is bound to them: it plans for the
 * value of a parameter that is the whole limit (`sqlite3ExprIsInteger`), but not for `? + 0`.
 */
export const compiledAgain = (plans: readonly StatementPlan[]): string[] =>
  plans
    .filter(({ query }) => /LIMIT\s+[?:@$]\w*(?!\w|\s*\+)/.test(query))
    .map(({ binding, query }) => `${binding}: ${query}`);
