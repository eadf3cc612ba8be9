import type { Page } from "playwright-core";
import type { Seeded } from "./seed.ts";

export interface Shot {
  name: string;
  /** Relative to the environment's path; absolute if it begins with `/`. */
  path: string;
  /** Actions before the screenshot is taken. */
  prepare?: (page: Page) => Promise<void>;
  /** Taken only of production, because the page is the same without data, or needs a row. */
  fullOnly?: boolean;
}

const openFirst = async (page: Page): Promise<void> => {
  await page.locator("[data-row]").first().click();
  await page.getByRole("complementary").last().waitFor();
};
const press =
  (...keys: string[]) =>
  async (page: Page): Promise<void> => {
    await page.getByRole("main").waitFor();
    for (const key of keys) await page.keyboard.press(key);
  };
const SQL =
  "SELECT toStartOfMinute(triggered_at) AS minute, count() AS runs, countIf(status = 'Failed') AS failed\nFROM runs\nGROUP BY minute\nORDER BY minute";

/** All pages, and what opens on them. */
export const shotsOf = (seeded: Seeded): Shot[] => [
  { name: "runs", path: "runs" },
  { name: "runs-filtered", path: "runs?status=FAILED&task=charge-card", fullOnly: true },
  {
    name: "runs-selected",
    path: "runs",
    fullOnly: true,
    prepare: async (page) => {
      await page.locator("[data-run]").first().waitFor();
      await press("j", "x", "j", "x")(page);
    },
  },
  { name: "run-completed", path: `runs/${seeded.published}`, fullOnly: true },
  { name: "run-failed", path: `runs/${seeded.failed}`, fullOnly: true },
  { name: "run-executing", path: `runs/${seeded.executing}`, fullOnly: true },
  { name: "run-waiting", path: `runs/${seeded.waiting}`, fullOnly: true },
  { name: "run-queued", path: `runs/${seeded.queued}`, fullOnly: true },
  { name: "run-missing", path: "runs/run_missing", fullOnly: true },
  { name: "tasks", path: "tasks" },
  { name: "errors", path: "errors?status=all" },
  { name: "errors-open", path: "errors?status=all", prepare: openFirst, fullOnly: true },
  { name: "logs", path: "logs" },
  { name: "logs-open", path: "logs", prepare: openFirst, fullOnly: true },
  { name: "metrics", path: "metrics?period=1h" },
  {
    name: "query",
    path: "query",
    prepare: async (page) => {
      const run = page
        .getByRole("main")
        .getByRole("button", { name: /^Run(ning)?\b(?! by)/ })
        .first();
      if (await run.isEnabled()) await run.click();
    },
  },
  {
    name: "query-result",
    path: `query?q=${encodeURIComponent(SQL)}`,
    fullOnly: true,
    prepare: async (page) => {
      await page
        .getByRole("grid", { name: "Result" })
        .waitFor({ timeout: 10_000 })
        .catch(() => {});
    },
  },
  { name: "alerts", path: "alerts" },
  { name: "alerts-channels", path: "alerts?tab=channels" },
  { name: "alerts-deliveries", path: "alerts?tab=deliveries" },
  { name: "alerts-rule", path: "alerts", prepare: press("n"), fullOnly: true },
  { name: "inbox", path: "inbox" },
  { name: "inbox-open", path: "inbox", prepare: openFirst, fullOnly: true },
  { name: "queues", path: "queues" },
  { name: "queues-open", path: "queues", prepare: openFirst, fullOnly: true },
  { name: "limits", path: "limits" },
  { name: "limits-open", path: "limits?limit=payments", fullOnly: true },
  { name: "schedules", path: "schedules" },
  { name: "schedules-open", path: "schedules", prepare: openFirst, fullOnly: true },
  { name: "schedules-new", path: "schedules", prepare: press("n"), fullOnly: true },
  { name: "batches", path: "batches" },
  { name: "batches-open", path: "batches", prepare: openFirst, fullOnly: true },
  { name: "bulk-actions", path: "bulk-actions" },
  { name: "bulk-actions-open", path: "bulk-actions", prepare: openFirst, fullOnly: true },
  { name: "deployments", path: "deployments" },
  { name: "deployments-open", path: "deployments", prepare: openFirst, fullOnly: true },
  {
    name: "deployments-failed",
    path: "deployments",
    fullOnly: true,
    prepare: async (page) => {
      await page.locator("[data-row]").nth(1).click();
      await page
        .getByRole("region", { name: "Build log" })
        .waitFor({ timeout: 5_000 })
        .catch(() => {});
    },
  },
  { name: "hosts", path: "hosts" },
  { name: "hosts-open", path: "hosts", prepare: openFirst, fullOnly: true },
  { name: "test", path: "test/send-email" },
  { name: "variables", path: "variables" },
  { name: "keys", path: "keys" },
  { name: "access-tokens", path: "access-tokens" },
  { name: "members", path: "members" },
  { name: "usage", path: "usage" },
  { name: "audit", path: "audit" },
  { name: "settings", path: "settings" },
  { name: "account", path: "/account", fullOnly: true },
  { name: "palette", path: "runs", prepare: press("Control+k"), fullOnly: true },
  { name: "shortcuts", path: "runs", prepare: press("?"), fullOnly: true },
];
