import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { auditText } from "../src/lib/format/audit-text.ts";

const WORKERS = join(import.meta.dirname, "../../workers/src");

/** The actions that the API writes to the audit log, found in its sources. */
const actions = globSync("{control,routes,people,bulk-actions,alerts}/**/*.ts", { cwd: WORKERS }).flatMap(
  (file) =>
    [...readFileSync(join(WORKERS, file), "utf8").matchAll(/"((?!alert\.|acme\.)[a-z_]+\.[a-z_]+)"/g)].map(
      ([, action]) => action ?? "",
    ),
);

it("says each action of the audit log in words", () => {
  expect(actions.length).toBeGreaterThan(40);
  for (const action of [...actions, "bulk_action.replay", "bulk_action.cancel"])
    expect(auditText(action)).toMatch(/^[A-Z][a-z]+( [a-z]+)+$/);
  expect(auditText("member.role_changed")).toBe("Changed the role of a member");
  expect(auditText("concurrency_limit.paused")).toBe("Paused a concurrency limit");
  expect(auditText("schedule.created_or_updated")).toBe("Created or updated a schedule");
  expect(auditText("access_token.revoked")).toBe("Revoked an access token");
});

it("shows an action that it does not know as it is", () => {
  for (const action of ["__proto__", "constructor", "a.b.c", "<img src=x>.made", ""])
    expect(auditText(action)).toBe(action);
});
