import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, openPage, type WatchedPage } from "../support/browser.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { task } from "@acme/sdk";
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const slow = task({
  id: "slow",
  run: async ({ name }: { name: string }) => {
    for (let line = 1; line <= 8; line++) {
      console.log(\`Line \${line} for \${name}\`);
      await pause(400);
    }
    return { greeting: \`Hello, \${name}\` };
  },
});
export const hold = task({ id: "hold", run: async () => pause(600_000) });
`;

describe("the dashboard, on the real stack", () => {
  let server: LocalServer;
  let browser: Browser;
  let watched: WatchedPage;

  beforeAll(async () => {
    [server, browser] = await Promise.all([startLocalServer({ example: false }), openBrowser()]);
    await deployTaskFile(server, TASKS);
    watched = await openPage(browser);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  const trigger = async (task: string, payload: unknown): Promise<string> => {
    const response = await fetch(`${server.apiUrl}/api/v1/tasks/${task}/trigger`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.secretKey}`, "content-type": "application/json" },
      body: JSON.stringify({ payload }),
    });
    return ((await response.json()) as { id: string }).id;
  };

  it("asks a visitor to sign in", async () => {
    const { page } = await openPage(browser);
    await page.goto(`${server.apiUrl}/orgs/default/projects/${server.projectRef}/env/prod/runs`);
    await page.waitForURL(/\/sign-in\?next=/);
    await page.getByRole("heading", { name: "Sign in to Acme" }).waitFor();
    await page.context().close();
  });

  it("is served with a strict policy", async () => {
    const response = await fetch(`${server.apiUrl}/sign-in`);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toMatch(/script-src 'self'(;|$)/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(await response.text()).not.toMatch(/<script>/);
  });

  it("signs in by the printed link, once", async () => {
    const link = await eventually(
      "the link is printed",
      () => /https?:\/\/\S+magic-link\S+/.exec(server.output())?.[0],
    );
    await watched.page.goto(link);
    await watched.page.waitForURL(/\/env\/prod\/runs$/);
    await watched.page.getByRole("heading", { name: "Runs", exact: true }).waitFor();

    const second = await openPage(browser);
    await second.page.goto(link);
    await second.page.waitForURL(/\/sign-in/);
    await second.page.context().close();
  });

  it("shows a run from queued to completed, with its logs as they are written, without a reload", async () => {
    const { page } = watched;
    const id = await trigger("slow", { name: "<img src=x onerror=alert(1)>" });
    const row = page.locator(`[data-run="${id}"]`);
    await row.waitFor();
    await row.locator('[data-status="EXECUTING"]').waitFor();
    await row.getByRole("link").click();
    await page.waitForURL(new RegExp(`/runs/${id}$`));
    const logs = page.getByRole("region", { name: "Logs" });
    // The first lines are there while the run goes on.
    await logs.getByText("Line 2 for").waitFor();
    expect(await page.locator('[data-status="EXECUTING"]').count()).toBe(1);
    await page.locator('[data-status="COMPLETED"]').waitFor();
    await logs.getByText("Line 8 for").waitFor();
    await page.getByRole("region", { name: "Output" }).getByText("Hello, ").waitFor();
    // What a user sent is text, never markup.
    expect(await page.locator("img").count()).toBe(0);
    await page.goBack();
    await row.locator('[data-status="COMPLETED"]').waitFor();
  });

  it("cancels a run and replays it, by keyboard alone", async () => {
    const { page } = watched;
    const id = await trigger("hold", {});
    const row = page.locator(`[data-run="${id}"]`);
    const pill = page.getByRole("button", { name: /\d+ new$/ });
    await eventually("the row is there", async () => {
      if (await pill.isVisible()) await pill.click();
      return row.isVisible();
    });
    await row.locator('[data-status="EXECUTING"]').waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(new RegExp(`/runs/${id}$`));
    await page.locator('[data-status="EXECUTING"]').waitFor();
    await page.keyboard.press("c");
    await page.locator('[data-status="CANCELED"]').waitFor();
    await page.keyboard.press("r");
    await page.waitForURL((url) => url.pathname.includes("/runs/run_") && !url.pathname.endsWith(id));
    await page.locator('[data-status="EXECUTING"]').waitFor();
    await page.keyboard.press("c");
    await page.locator('[data-status="CANCELED"]').waitFor();
  });

  it("keeps the view in the address: a filter that is shared shows the same", async () => {
    const { page } = watched;
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.waitForURL(/\/runs$/);
    await page.keyboard.press("/");
    await page.keyboard.type("status:canceled");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\?status=CANCELED$/);
    await eventually("only canceled runs are listed", async () => {
      const shown = await page
        .locator("[data-run] [data-status]")
        .evaluateAll((all) => all.map((e) => e.getAttribute("data-status")));
      return shown.length === 2 && shown.every((status) => status === "CANCELED");
    });
    const again = await page.context().newPage();
    await again.goto(page.url());
    await again.locator("[data-run]").first().waitFor();
    expect(await again.locator("[data-run]").count()).toBe(2);
    await again.close();
  });

  it("reported no error and no violation of its policy", () => {
    expect(watched.problems).toEqual([]);
  });
});
