import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeProblems, openPage } from "../support/browser.ts";
import { type Dashboard, openDashboard } from "../support/dashboard.ts";
import { eventually } from "../support/eventually.ts";

const TASKS = `
import { schedules, task, wait } from "@acme/sdk";
export const quick = task({ id: "quick", run: async () => "done" });
export const fails = task({ id: "fails", retry: { maxAttempts: 1 }, run: async () => { throw new TypeError("no such card"); } });
export const nightly = schedules.task({
  id: "nightly",
  cron: { pattern: "30 2 * * *", timezone: "Europe/Berlin" },
  run: async ({ timezone, timestamp }) => ({ timezone, isDate: timestamp instanceof Date }),
});
export const ask = task({
  id: "ask",
  run: async ({ order }: { order: string }) => {
    const token = await wait.createToken({
      timeout: "1d",
      title: \`Refund order \${order}?\`,
      description: "<img src=x onerror=alert(1)> 120 EUR",
      schema: {
        type: "object",
        required: ["approved", "reason"],
        properties: { approved: { type: "boolean" }, reason: { type: "string", maxLength: 50 } },
      },
    });
    const answer = await wait.forToken<{ approved: boolean; reason: string }>(token);
    return answer.ok ? answer.output : null;
  },
});
`;

describe("views, forms and errors in the dashboard", () => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await openDashboard(TASKS);
  });
  afterAll(() => dashboard?.close());

  const statuses = () =>
    dashboard.page
      .locator("[data-run] [data-status]")
      .evaluateAll((all) => all.map((e) => e.getAttribute("data-status")));

  it("filters by the value of a cell, by pointer and by keyboard", async () => {
    const { page, open, trigger } = dashboard;
    await trigger("quick", {}, { tags: ["user:1"] });
    const failed = await trigger("fails", {});
    await open("runs");
    const row = page.locator(`[data-run="${failed}"]`);
    await row.locator('[data-status="FAILED"]').waitFor();
    await row.locator('[data-column="task"]').hover();
    await page.getByRole("button", { name: "Filter by Task fails" }).click();
    await page.waitForURL(/task=fails/);
    await eventually("only its runs are listed", async () => (await statuses()).join() === "FAILED");
    await page.keyboard.press("j");
    await page.keyboard.press(".");
    await page.getByRole("menuitem", { name: /Failed/ }).click();
    await page.waitForURL(/status=FAILED/);
    await page.keyboard.press("Shift+f");
    await page.waitForURL(/\/runs$/);
  });

  it("keeps the selected columns, and a named view, also in another browser", async () => {
    const { page, open, signIn } = dashboard;
    await open("runs?status=FAILED");
    await page.locator("[data-run]").first().waitFor();
    await page.keyboard.press("Shift+c");
    const dialog = page.getByRole("dialog", { name: "Columns" });
    await dialog.getByLabel("Queue", { exact: true }).uncheck();
    await dialog.getByLabel("Attempts", { exact: true }).check();
    await dialog.getByRole("button", { name: "Move Attempts up" }).click();
    await dialog.getByRole("button", { name: "Done" }).click();
    const heads = () => page.getByRole("columnheader").allTextContents();
    await eventually("the columns are as chosen", async () => {
      const shown = await heads();
      return !shown.includes("Queue") && shown.at(-2) === "Attempts" && shown.at(-1) === "Created";
    });
    await page.keyboard.press("v");
    await page.getByRole("menuitem", { name: "Save this view…" }).click();
    await page.getByLabel("Name").fill("Failures");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Failures" }).waitFor();
    const other = await signIn("owner");
    await open("runs", other.page);
    await other.page.getByRole("button", { name: "Views" }).click();
    await other.page.getByRole("menuitem", { name: "Failures" }).click();
    await other.page.waitForURL(/status=FAILED/);
    await other.page.getByRole("columnheader", { name: "Attempts" }).waitFor();
    await other.page.context().close();
    await page.keyboard.press("v");
    await page.getByRole("menuitem", { name: "Delete Failures" }).click();
    await page.getByRole("button", { name: "Views" }).waitFor();
  });

  it("replays a large selection with its progress", async () => {
    const { page, open, api } = dashboard;
    const items = Array.from({ length: 30 }, () => ({
      task: "quick",
      payload: {},
      options: { tags: ["many"] },
    }));
    await api("POST", "/api/v1/tasks/batch", { items });
    await open("runs?tag=many");
    await eventually("they are over", async () => {
      const shown = await statuses();
      return shown.length > 20 && shown.every((status) => status === "COMPLETED");
    });
    await page.keyboard.press("Control+a");
    await page.keyboard.press("r");
    await page.getByRole("button", { name: "Replay 30 runs" }).click();
    await page.getByTestId("bulk").getByText("30 of 30 runs replayed").waitFor();
    await page.getByRole("link", { name: "All bulk actions" }).click();
    await page.waitForURL(/bulk-actions\?action=bulk_/);
  });

  it("shows when a schedule is due next, and runs it now with the payload of a tick", async () => {
    const { page, open } = dashboard;
    await open("schedules");
    await page.locator("[data-row]").first().click();
    const ticks = page.getByRole("region", { name: "Next ticks" }).getByRole("listitem");
    await eventually("there are five", async () => (await ticks.locator("time").count()) === 5);
    expect(await ticks.first().textContent()).toMatch(/02:30/);
    await page.keyboard.press("Shift+r");
    await page.getByRole("link", { name: "Open" }).click();
    await page.locator('[data-status="COMPLETED"]').waitFor();
    const output = page.getByRole("region", { name: "Output" });
    await output.getByText("Europe/Berlin").waitFor();
    await output.getByText("true").waitFor();
  });

  it("asks a token's question with a form generated from its schema", async () => {
    const { page, open, trigger } = dashboard;
    const id = await trigger("ask", { order: "A1" });
    await open("inbox");
    await page.getByText("Refund order A1?").click();
    const pane = page.getByRole("complementary", { name: "Refund order A1?" });
    await pane.getByText("<img src=x onerror=alert(1)>").waitFor();
    expect(await page.locator("img").count()).toBe(0);
    // A reason is needed: Approve sends nothing without it.
    await pane.getByRole("button", { name: /^Approve/ }).click();
    await pane.getByLabel("Reason").fill("the parcel was lost");
    await pane.getByLabel("Reason").blur();
    await page.keyboard.press("a");
    await pane.getByText("owner@example.com").waitFor();
    await open(`runs/${id}`);
    await page.locator('[data-status="COMPLETED"]').waitFor();
    await page.getByRole("region", { name: "Output" }).getByText("the parcel was lost").waitFor();
  });

  it("lets somebody without an account answer by a link, once", async () => {
    const { page, open, trigger, browser } = dashboard;
    await trigger("ask", { order: "B2" });
    await open("inbox");
    await page.getByText("Refund order B2?").click();
    await page.getByRole("button", { name: "Link" }).click();
    await page.getByRole("button", { name: "Make the link" }).click();
    const link = (await page.getByTestId("answer-link").textContent()) ?? "";
    await page.getByRole("button", { name: "Done" }).click();
    const { page: theirs, problems } = await openPage(browser);
    await theirs.goto(link);
    await theirs.getByRole("heading", { name: "Refund order B2?" }).waitFor();
    expect(await axeProblems(theirs)).toEqual([]);
    await theirs.getByLabel("Reason").fill("broken");
    await theirs.getByLabel("Your name (optional)").fill("Grace");
    await theirs.getByRole("button", { name: "Reject" }).click();
    await theirs.getByText("Your answer was passed on").waitFor();
    await theirs.reload();
    await theirs.getByText("It was answered already").waitFor();
    expect(problems).toEqual([]);
    await theirs.goto(`${link}x`);
    await theirs.getByText("This can't be answered").waitFor();
    await theirs.context().close();
    await page.getByText("Grace, by a link").waitFor();
  });

  it("groups failures: resolves one, and replays all of its runs", async () => {
    const { page, open, trigger } = dashboard;
    await trigger("fails", {});
    await open("errors");
    const row = page.locator("[data-row]").filter({ hasText: "no such card" });
    await row.getByText("TypeError").waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    const pane = page.getByRole("complementary", { name: "TypeError" });
    await pane.getByRole("region", { name: "Error", exact: true }).waitFor();
    await page.keyboard.press("Shift+e");
    await page.getByRole("button", { name: /^Replay \d+ runs?$/ }).click();
    await page
      .getByTestId("bulk")
      .getByText(/replayed/)
      .waitFor();
    await page
      .getByRole("button", { name: /Close|background/ })
      .last()
      .click();
    await page.keyboard.press("e");
    await pane.locator('[data-error-status="resolved"]').waitFor();
    await pane.getByRole("link", { name: "All of them" }).click();
    await page.waitForURL(/error=error_/);
    await eventually("its failed runs are listed", async () => {
      const shown = await statuses();
      return shown.length >= 2 && shown.every((status) => status === "FAILED");
    });
  });

  it("zooms into a part of the charts, and opens the runs behind a point", async () => {
    const { page, open } = dashboard;
    await open("metrics?period=1h");
    const chart = page.getByRole("group", { name: /^Runs that ended/ });
    await chart.waitFor();
    await page.getByRole("button", { name: "quick", exact: true }).waitFor();
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    if (!box) throw new Error("The chart has no place");
    await page.mouse.move(box.x + box.width * 0.7, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 2, box.y + 20, { steps: 4 });
    const zoomed = page.waitForResponse((response) => /\/metrics\/runs\?.*from=/.test(response.url()));
    await page.mouse.up();
    await page.waitForURL(/from=\d+&to=\d+/);
    await (await zoomed).finished();
    await page.getByRole("group", { name: /^Runs that ended/ }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/runs\?from=\d+&to=\d+/);
    await page.getByText("Created", { exact: true }).first().waitFor();
    await open("usage");
    await page.getByRole("region", { name: "Environments" }).getByText(/prod/).waitFor();
  });

  it("adds a channel and a rule, tests the channel and disables the rule", async () => {
    const { page, open } = dashboard;
    await open("alerts");
    await page.getByRole("button", { name: "Add a channel" }).click();
    await page.getByLabel("Kind").selectOption("webhook");
    await page.getByLabel("Name").fill("On call");
    // Nothing listens at that address, and the log says so.
    await page.getByLabel("Address of the webhook").fill("https://alerts.example.invalid/hook");
    await page.getByRole("dialog").getByRole("button", { name: /^Add/ }).click();
    await page.getByText(/^whsec_/).waitFor();
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "New rule" }).first().click();
    await page.getByLabel("Name").fill("Cards");
    await page.getByLabel("Alert about").selectOption("many");
    await page.getByLabel("Within minutes").fill("5");
    await page.keyboard.press("Control+Enter");
    const row = page.locator("[data-row]").filter({ hasText: "Cards" });
    await row.getByText("10 runs of any task fail within 5 min").waitFor();
    await row.getByRole("button", { name: "Turn off Cards" }).click();
    await row.getByText("off", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Channels" }).click();
    await page.getByRole("button", { name: "Send a test" }).click();
    await page.getByRole("button", { name: "Delivery log" }).click();
    await page.locator("[data-row]").first().getByText("On call").waitFor();
  });

  it("says what ClickHouse would add if there is none", async () => {
    const { page, open } = dashboard;
    await open("logs");
    await page.getByText("Search across runs needs ClickHouse").waitFor();
    await open("query");
    await page.getByText("Queries in SQL need ClickHouse").waitFor();
  });

  it("has no page with violations found by axe", async () => {
    const { page, open, trigger } = dashboard;
    await trigger("ask", { order: "C3" });
    await open("inbox");
    await page.locator("[data-row]").first().click();
    await page.waitForURL(/token=/);
    const token = new URL(page.url()).search;
    const paths = ["errors?status=all", `inbox${token}`, "metrics", "usage", "logs", "query", "alerts"];
    expect(await dashboard.axe(paths)).toEqual([]);
    // Pages that need ClickHouse say so.
    expect(dashboard.problems.filter((problem) => !/status of 501/.test(problem))).toEqual([]);
  });
});
