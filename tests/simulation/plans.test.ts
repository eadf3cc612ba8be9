import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import type { StatementPlan } from "./plans.ts";

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

let plans: StatementPlan[];
beforeAll(async () => {
  const args = [join(import.meta.dirname, "plans.ts"), "20"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 });
  plans = JSON.parse(stdout);
});

test("no statement that the objects run reads a backlog, or sorts one", () => {
  const long = plans
    .filter(({ query }) => !isGlance(query) && !isMigration(query))
    .flatMap(({ binding, query, plan }) =>
      plan
        .filter((detail) => /SCAN|TEMP B-TREE/.test(detail))
        .filter((detail) => !MAY_SCAN.some(([, allowed]) => allowed.test(detail)))
        .map((detail) => `${binding}: ${detail} in ${query}`),
    );
  expect(long).toEqual([]);
});

test("no statement is compiled again for each limit that is bound to it", () => {
  // SQLite plans for the value of a parameter that is the whole limit (`sqlite3ExprIsInteger`), but not for `? + 0`.
  const compiledAgain = plans.filter(({ query }) => /LIMIT\s+[?:@$]\w*(?!\w|\s*\+)/.test(query));
  expect(compiledAgain.map(({ binding, query }) => `${binding}: ${query}`)).toEqual([]);
});

test("the seeds run the statements of the hot paths", () => {
  const has = (binding: string, ...parts: string[]) =>
    plans.some((plan) => plan.binding === binding && parts.every((part) => plan.query.includes(part)));
  expect(plans.length).toBeGreaterThan(100);
  expect(has("QUEUE", "INSERT INTO runs")).toBe(true);
  expect(has("QUEUE", "UPDATE runs SET status = 'DEQUEUED'")).toBe(true);
  expect(has("QUEUE", "COMPLETED_SUCCESSFULLY")).toBe(true);
  expect(has("QUEUE", "due_at")).toBe(true);
  expect(has("BATCH", "FROM waiting JOIN queues")).toBe(true);
  expect(has("ENVIRONMENT", "INSERT INTO queues")).toBe(true);
});
