import { LEAST_ROLE, mayAs } from "@acme/sdk/contract/roles";
import type { Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPage } from "../support/browser.ts";
import { type Dashboard, type MemberRole, openDashboard } from "../support/dashboard.ts";
import { cutOff, declaredOperations, loaded, openFirstRow, PAGES } from "../support/dashboard-pages.ts";

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

describe("the dashboard by keyboard alone, by role, and enlarged", () => {
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

    // In an editor, single-letter shortcuts are text; Tab leaves it.
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

  it("shows no control that the role table refuses", { timeout: 300_000 }, async () => {
    const { open, signIn, trigger, api } = dashboard;
    const run = await trigger("hold", {});
    await trigger("ask", {});
    await api("POST", "/api/v2/tasks/batch", { items: [{ task: "greet", payload: { name: "Ada" } }] });
    await api("POST", "/api/v1/bulk-actions", { action: "cancel", filter: { status: "DELAYED" } });
    const least: Readonly<Record<string, MemberRole>> = LEAST_ROLE;
    const walk = async (role: MemberRole): Promise<number> => {
      const { page } = await signIn(role);
      const refused: string[] = [];
      page.on("response", (response) => {
        if (response.status() === 403) refused.push(`${response.request().method()} ${response.url()}`);
      });
      const shown = new Map<string, string>();
      for (const path of [...PAGES, `runs/${run}`]) {
        await open(path, page);
        await loaded(page);
        await openFirstRow(page);
        for (const operation of await declaredOperations(page)) shown.set(operation, path);
        // The same for keyboard shortcuts that perform actions.
        if (role === "viewer")
          for (const key of ["j", "n", "r", "c", "e", "i", "a", "s"]) await page.keyboard.press(key);
        await loaded(page);
      }
      expect([...shown].filter(([operation]) => !mayAs(role, least[operation] ?? "owner"))).toEqual([]);
      expect(refused).toEqual([]);
      await page.context().close();
      return shown.size;
    };
    const [viewer, developer, owner] = await Promise.all([walk("viewer"), walk("developer"), walk("owner")]);
    // The walk would find the controls: what a viewer sees is available to everybody.
    expect(viewer).toBeLessThan(3);
    expect(developer).toBeGreaterThan(12);
    expect(owner).toBeGreaterThan(25);
  });

  it("fits every page at 200 % and 400 % zoom, and animates nothing with reduced motion", {
    timeout: 300_000,
  }, async () => {
    const { browser, page: owner, open } = dashboard;
    const found: string[] = [];
    // The CSS pixels that are left of 1440 × 900 and 1280 × 1024 at these zoom levels.
    for (const [width, height, zoom] of [
      [720, 450, 2],
      [320, 256, 4],
    ] as const) {
      const { page } = await openPage(browser, {
        viewport: { width, height },
        deviceScaleFactor: zoom,
        reducedMotion: "reduce",
        storageState: await owner.context().storageState(),
      });
      for (const path of [...PAGES, `runs/${await dashboard.trigger("greet", { name: "Ada" })}`]) {
        await open(path, page);
        await loaded(page);
        for (const problem of await cutOff(page)) found.push(`${path} at ${zoom}00 %: ${problem}`);
        await openFirstRow(page);
        for (const problem of await cutOff(page)) found.push(`${path} at ${zoom}00 %, opened: ${problem}`);
        const moving = await page.evaluate(
          () => document.getAnimations().filter(({ playState }) => playState === "running").length,
        );
        if (moving > 0) found.push(`${path}: ${moving} animations`);
      }
      await page.context().close();
    }
    expect(found).toEqual([]);
  });

  it("reported no error", () => {
    expect(dashboard.problems).toEqual([]);
  });
});
