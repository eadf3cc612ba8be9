import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickhouseServer, startClickhouse } from "../../scripts/clickhouse/start.ts";
import { type Dashboard, openDashboard } from "../support/dashboard.ts";
import { eventually } from "../support/eventually.ts";

const TASKS = `
import { logger, task } from "@acme/sdk";
export const talk = task({
  id: "talk",
  run: async ({ order }: { order: string }) => {
    logger.info("Order " + order + " paid", { order });
    logger.error("<img src=x onerror=alert(1)> of order " + order, { order });
  },
});
`;

describe("search and queries in the dashboard, with a ClickHouse", () => {
  let clickhouse: ClickhouseServer;
  let dashboard: Dashboard;
  beforeAll(async () => {
    clickhouse = await startClickhouse();
    dashboard = await openDashboard(TASKS, { clickhouse: clickhouse.url });
  });
  afterAll(async () => {
    await dashboard?.close();
    await clickhouse?.stop();
  });

  it("finds lines of all runs by words, level and property, and links to their run", async () => {
    const { page, open, trigger } = dashboard;
    const order = `order-${Date.now()}`;
    const id = await trigger("talk", { order });
    await trigger("talk", { order: "another" });
    await open("logs?task=talk");
    const rows = page.getByRole("grid", { name: "Log lines" }).locator("[data-row]");
    await eventually("all lines are found", async () => {
      if ((await rows.count()) >= 4) return true;
      await page.reload();
      await page.getByRole("heading", { name: "Logs" }).waitFor();
      await page.waitForLoadState("networkidle");
      return false;
    });
    expect(await page.locator("img").count()).toBe(0);
    await page.getByRole("group", { name: /^\d+ lines/ }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type(`level:error order=${order}`);
    await page.keyboard.press("Enter");
    await page.waitForURL(/level=error/);
    await eventually("one line is left", async () => (await rows.count()) === 1);
    await rows.first().click({ position: { x: 5, y: 5 } });
    const pane = page.getByRole("complementary").last();
    await pane.getByText(`<img src=x onerror=alert(1)> of order ${order}`).waitFor();
    await pane.getByRole("link", { name: "Open the run" }).click();
    await page.waitForURL(new RegExp(`/runs/${id}`));
  });

  it("shows the result of an SQL query as a table, explains its errors, and keeps it in the address", async () => {
    const { page, open } = dashboard;
    await open("query");
    const editor = page.getByRole("textbox", { name: "SQL" });
    await editor.fill(
      "SELECT status, count() AS runs FROM runs WHERE task_identifier = 'talk' GROUP BY status",
    );
    await page.keyboard.press("Control+Enter");
    const result = page.getByRole("grid", { name: "Result" });
    await result.getByText("Completed").waitFor();
    await page.waitForURL(/q=SELECT/);
    await page.reload();
    await result.getByText("Completed").waitFor();
    await editor.fill("SELECT nonsense FROM runs");
    await page.keyboard.press("Control+Enter");
    await page
      .getByRole("alert")
      .getByText(/nonsense/)
      .waitFor();
  });

  it("has no page with violations found by axe", async () => {
    const query = encodeURIComponent("SELECT status, count() AS runs FROM runs GROUP BY status");
    expect(await dashboard.axe(["logs", `query?q=${query}`])).toEqual([]);
    // The invalid query.
    expect(dashboard.problems.filter((problem) => !/status of 4\d\d/.test(problem))).toEqual([]);
  });
});
