/**
 * Takes screenshots of every page of the dashboard, on a separate real server with the data of a small shop:
 * wide and narrow, dark and light, with data, without data, when requests fail, and while they are pending.
 *
 *   npm run screenshots -- [--out DIR] [--only runs,errors-open]… [--state full|empty|error|loading]… [--theme dark|light]…
 *     [--width 1440|1200x640]… [--clickhouse URL] [--keep FILE | --at FILE]
 *
 * With `--keep FILE` the server keeps running until Ctrl-C, and `--at FILE` takes more screenshots of it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BrowserContextOptions, Page } from "playwright-core";
import { openBrowser, openPage } from "../support/browser.ts";
import { openDashboard } from "../support/dashboard.ts";
import { shotsOf } from "./pages.ts";
import { type Seeded, seed } from "./seed.ts";
import { SHOP } from "./shop.ts";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(tmpdir(), "acme-screenshots") },
    only: { type: "string", multiple: true },
    state: { type: "string", multiple: true, default: ["full", "empty", "error", "loading"] },
    theme: { type: "string", multiple: true, default: ["dark", "light"] },
    width: { type: "string", multiple: true, default: ["1440", "390"] },
    clickhouse: { type: "string" },
    keep: { type: "string" },
    at: { type: "string" },
  },
});

interface Session {
  apiUrl: string;
  projectRef: string;
  seeded: Seeded;
  cookies: BrowserContextOptions["storageState"];
}

async function begin(): Promise<{ session: Session; close: () => Promise<void> }> {
  const dashboard = await openDashboard(SHOP, { clickhouse: values.clickhouse });
  const seeded = await seed(dashboard).catch(async (error: unknown) => {
    await dashboard.close();
    throw error;
  });
  const { apiUrl, projectRef } = dashboard.server;
  const cookies = await dashboard.page.context().storageState();
  return { session: { apiUrl, projectRef, seeded, cookies }, close: () => dashboard.close() };
}

/** Makes all requests fail or never get an answer, except for the one about the signed-in user. */
async function spoil(page: Page, state: string): Promise<void> {
  if (state !== "error" && state !== "loading") return;
  await page.route(/\/api\/v\d\//, async (route) => {
    if (/\/me(\/preferences)?$|sign-in-methods/.test(new URL(route.request().url()).pathname))
      return route.continue();
    if (state === "loading") return;
    const error = "The database did not answer in time. Try again in a few seconds.";
    await route.fulfill({
      status: 503,
      json: { error, code: "unavailable" },
      headers: { "x-request-id": "req_9f2c1d" },
    });
  });
}

const { session, close } = values.at
  ? { session: JSON.parse(readFileSync(values.at, "utf8")) as Session, close: undefined }
  : await begin();
if (values.keep) writeFileSync(values.keep, JSON.stringify(session));
const only = values.only?.flatMap((names) => names.split(","));
const browser = await openBrowser();
mkdirSync(values.out, { recursive: true });
const problems: string[] = [];
for (const state of values.state) {
  for (const theme of values.theme) {
    for (const width of values.width) {
      const [across = 0, down] = width.split("x").map(Number);
      const narrow = across < 640;
      const { page, problems: reported } = await openPage(browser, {
        viewport: { width: across, height: down ?? (narrow ? 844 : 900) },
        colorScheme: theme === "light" ? "light" : "dark",
        hasTouch: narrow,
        isMobile: narrow,
        reducedMotion: "reduce",
        storageState: session.cookies,
      });
      await spoil(page, state);
      const env = state === "empty" ? "staging" : "prod";
      const base = `${session.apiUrl}/orgs/default/projects/${session.projectRef}/env/${env}/`;
      for (const { name, path, prepare, fullOnly } of shotsOf(session.seeded)) {
        if ((only && !only.includes(name)) || (fullOnly && state !== "full")) continue;
        const file = `${name}-${state}-${width}-${theme}.png`;
        reported.length = 0;
        try {
          await page.goto(path.startsWith("/") ? `${session.apiUrl}${path}` : `${base}${path}`);
          await page.getByRole("main").waitFor();
          if (state !== "loading")
            await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => {});
          // Queries are retried a few times before they count as failed.
          if (state === "error" && name !== "query")
            await page
              .getByRole("alert")
              .first()
              .waitFor({ timeout: 12_000 })
              .catch(() => problems.push(`${file}: no error is shown`));
          await prepare?.(page);
          // Charts and lazily loaded editors come last.
          await page.waitForTimeout(400);
          await page.screenshot({ path: join(values.out, file), animations: "disabled" });
          const overflow = Number(
            await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"),
          );
          if (overflow > 0) problems.push(`${file}: ${overflow} px too wide`);
          if (state === "full") problems.push(...reported.map((problem) => `${file}: ${problem}`));
        } catch (error) {
          problems.push(`${file}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
        }
      }
      await page.context().close();
    }
  }
}
await browser.close();
for (const problem of problems) console.log(problem);
console.log(`The pictures are in ${values.out}`);
if (values.keep && close) {
  await new Promise<void>((resolve) => process.once("SIGINT", resolve));
}
await close?.();
