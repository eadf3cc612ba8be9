import type { Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dashboard, openDashboard } from "../support/dashboard.ts";

const TASKS = `
import { schedules, task, wait } from "@acme/sdk";
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const greet = task({ id: "greet", run: async ({ name }: { name: string }) => { console.log("Hello, " + name); return name; } });
export const hold = task({ id: "hold", run: async () => pause(600_000) });
export const fails = task({ id: "fails", retry: { maxAttempts: 1 }, run: async () => { throw new Error("no such card"); } });
export const nightly = schedules.task({ id: "nightly", cron: "30 2 * * *", run: async () => {} });
export const ask = task({
  id: "ask",
  run: async () => {
    const token = await wait.createToken({
      timeout: "1d",
      title: "Refund the order?",
      schema: { type: "object", required: ["approved"], properties: { approved: { type: "boolean" }, reason: { type: "string" } } },
    });
    return wait.forToken<{ approved: boolean }>(token).unwrap();
  },
});
`;

/** Every page of an environment. Those of one thing are opened by the first row of their list. */
const PAGES = [
  "runs",
  "tasks",
  "errors?status=all",
  "logs",
  "metrics",
  "query",
  "alerts",
  "alerts?tab=channels",
  "alerts?tab=deliveries",
  "inbox",
  "queues",
  "limits",
  "schedules",
  "batches",
  "bulk-actions",
  "deployments",
  "hosts",
  "test/greet",
  "variables",
  "keys",
  "access-tokens",
  "members",
  "usage",
  "audit",
  "settings",
];

describe("the dashboard by keyboard alone, and as a viewer", () => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await openDashboard(TASKS);
  });
  afterAll(() => dashboard?.close());

  /** Presses Tab until an element has the focus. */
  async function tabTo(target: Locator): Promise<void> {
    await target.waitFor();
    for (let presses = 0; presses < 120; presses++) {
      // An editor is in a shadow tree, which has an active element of its own.
      const has = await target.evaluate((element) => {
        const root = element.getRootNode();
        return (root instanceof ShadowRoot || root instanceof Document) && root.activeElement === element;
      });
      if (has) return;
      await dashboard.page.keyboard.press("Tab");
    }
    throw new Error("Tab does not reach it");
  }
  /** Presses the keys of a sequence such as `g r`. */
  async function press(sequence: string): Promise<void> {
    for (const key of sequence.split(" ")) await dashboard.page.keyboard.press(key);
  }

  it("starts a run, reads it, replays it and cancels another", async () => {
    const { page, open, trigger } = dashboard;
    const held = await trigger("hold", {});
    await open("test/greet");
    const editor = page.getByRole("textbox", { name: "Payload as JSON" });
    await tabTo(editor);
    await page.keyboard.press("Control+a");
    await page.keyboard.type('{"name":"Ada"}');
    await page.keyboard.press("Control+Enter");
    const peek = page.getByRole("region", { name: "The run" });
    await peek.getByText("Hello, Ada").waitFor();

    // Keys of one letter are text in an editor; Tab leaves it.
    await page.keyboard.press("Tab");
    await press("g r");
    await page.waitForURL(/\/runs$/);
    await page.locator("[data-run]").nth(1).waitFor();
    await press("j");
    await press("Enter");
    await page.waitForURL(/\/runs\/run_/);
    await page.getByRole("heading", { name: "greet" }).waitFor();
    const first = page.url();
    await press("r");
    await page.waitForURL((url) => url.href !== first);
    await page.locator('[data-status="COMPLETED"]').first().waitFor({ timeout: 60_000 });

    await press("Control+k");
    await page.getByRole("combobox").waitFor();
    await page.keyboard.type(held);
    await press("Enter");
    await page.waitForURL((url) => url.pathname.endsWith(held));
    await page.getByRole("heading", { name: "hold" }).waitFor();
    await page.locator('[data-status="EXECUTING"]').first().waitFor();
    await press("c");
    await page.locator('[data-status="CANCELED"]').first().waitFor();
  });

  it("filters, pauses a queue, and answers a question", async () => {
    const { page, open, trigger } = dashboard;
    const asking = await trigger("ask", {});
    const failed = await trigger("fails", {});
    await open("runs");
    await page.locator(`[data-run="${failed}"] [data-status="FAILED"]`).waitFor();
    await press("/");
    await page.keyboard.type("failed");
    await page.getByRole("option").first().waitFor();
    await press("Enter");
    await page.waitForURL(/status=FAILED/);
    await page.keyboard.press("Escape");

    await press("g q");
    await page.waitForURL(/\/queues$/);
    await page.locator("[data-row]").first().waitFor();
    await press("j");
    await press("Enter");
    const pane = page.getByRole("complementary").last();
    await tabTo(pane.getByRole("button", { name: "Pause", exact: true }));
    await press("Enter");
    await pane.getByRole("button", { name: "Resume", exact: true }).waitFor();
    await press("Enter");
    await pane.getByRole("button", { name: "Pause", exact: true }).waitFor();
    await press("Escape");

    await press("g i");
    await page.waitForURL(/\/inbox$/);
    await page.locator("[data-row]").first().waitFor();
    await press("j");
    await press("Enter");
    const question = page.getByRole("complementary", { name: "Refund the order?" });
    await tabTo(question.getByLabel("Reason (optional)"));
    await page.keyboard.type("it never arrived");
    await press("Control+Enter");
    await question.getByText("owner@example.com").waitFor();
    await open(`runs/${asking}`);
    await page.locator('[data-status="COMPLETED"]').first().waitFor();
  });

  it("gives a viewer no control, on any page, that leads to what the table of roles refuses", async () => {
    const { open, signIn, trigger, api } = dashboard;
    const run = await trigger("hold", {});
    await trigger("ask", {});
    await api("POST", "/api/v2/tasks/batch", { items: [{ task: "greet", payload: { name: "Ada" } }] });
    await api("POST", "/api/v1/bulk-actions", { action: "cancel", filter: { status: "DELAYED" } });
    const { page } = await signIn("viewer");
    const refused = new Set<string>();
    // The server decides by its table of roles: whatever it refuses, the page should not have offered.
    page.on("response", (response) => {
      if (response.status() !== 403) return;
      const { pathname } = new URL(response.url());
      refused.add(
        `${new URL(page.url()).pathname.split("/env/prod/")[1]}: ${response.request().method()} ${pathname}`,
      );
    });
    let pressed = 0;
    const main = page.getByRole("main");
    for (const path of [...PAGES, `runs/${run}`]) {
      await open(path, page);
      await main.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle").catch(() => {});
      const row = page.locator("[data-row]").first();
      if ((await row.count()) > 0) await row.click({ position: { x: 3, y: 3 } });
      await page.waitForLoadState("networkidle").catch(() => {});
      const buttons = main.getByRole("button");
      for (let index = 0; index < Math.min(await buttons.count(), 25); index++) {
        const button = buttons.nth(index);
        if (!(await button.isVisible()) || !(await button.isEnabled())) continue;
        await button.click({ timeout: 2_000 }).catch(() => {});
        pressed += 1;
        // A dialog that asks first is confirmed.
        const confirm = page.getByRole("dialog").locator(".btn-primary, .btn-danger").last();
        if ((await confirm.count()) > 0 && (await confirm.isEnabled()))
          await confirm.click({ timeout: 2_000 }).catch(() => {});
        await page.keyboard.press("Escape");
        if (!page.url().includes(path.split("?")[0] ?? path)) break;
      }
      // The keys of lists and runs.
      for (const key of ["j", "n", "r", "c", "e", "i", "a", "s"]) await page.keyboard.press(key);
      await page.keyboard.press("Escape");
      await page.waitForLoadState("networkidle").catch(() => {});
    }
    expect([...refused]).toEqual([]);
    expect(pressed).toBeGreaterThan(20);
    await page.context().close();
  });

  it("reported no error", () => {
    expect(dashboard.problems).toEqual([]);
  });
});
