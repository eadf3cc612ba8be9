import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dashboard, openDashboard } from "../support/dashboard.ts";
import { eventually } from "../support/eventually.ts";

const TASKS = `
import { step, task } from "@acme/sdk";
export const large = task({ id: "large", run: async () => ({ html: "<img src=x onerror=alert(1)>", rows: Array.from({ length: 90_000 }, (_, n) => ({ n, text: "x".repeat(90) })) }) });
export const text = task({ id: "text", run: async () => "y".repeat(9_000_000) });
export const chatty = task({
  id: "chatty",
  run: async () => {
    for (let line = 1; line <= 100_000; line++) {
      console.log("line " + line);
      if (line % 2_000 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
});
export const steps = task({
  id: "steps",
  run: async () => {
    for (let n = 0; n < 300; n++) await step("step " + (n % 7), async () => n);
  },
});
`;

describe("the dashboard with more than a page can hold", () => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await openDashboard(TASKS);
  });
  afterAll(() => dashboard?.close());

  const open = async (task: string) => {
    const id = await dashboard.trigger(task, {});
    await dashboard.open(`runs/${id}`);
    await dashboard.page.locator('[data-status="COMPLETED"]').first().waitFor({ timeout: 120_000 });
    return id;
  };

  it("renders only the visible rows of an output of 10 MB, as text", async () => {
    const { page } = dashboard;
    await open("large");
    const output = page.getByRole("region", { name: "Output" });
    await output.getByText("rows").first().waitFor();
    expect(await page.locator("img").count()).toBe(0);
    const rows = () => output.getByRole("row").count();
    expect(await rows()).toBeLessThan(200);
    await output.getByRole("button", { name: /rows/ }).first().click();
    await eventually("it is open", async () => (await rows()) > 5);
    expect(await rows()).toBeLessThan(200);
  });

  it("shows the beginning of a text of 9 MB", async () => {
    const { page } = dashboard;
    await open("text");
    const output = page.getByRole("region", { name: "Output" });
    await output.getByText(/^y{100}/).waitFor();
    expect(((await output.textContent()) ?? "").length).toBeLessThan(2_100_000);
    // The page still responds.
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Go to runs").waitFor();
    await page.keyboard.press("Escape");
  });

  it("keeps the newest of 100,000 log lines, and renders the visible ones", async () => {
    const { page } = dashboard;
    await open("chatty");
    const logs = page.getByRole("region", { name: "Logs" });
    await logs.getByText("line 100000", { exact: true }).waitFor({ timeout: 120_000 });
    expect(await logs.getByRole("row").count()).toBeLessThan(200);
    await logs.getByPlaceholder("Find in logs").fill("99999");
    await logs.getByText("line 99999", { exact: true }).waitFor();
  });

  it("zooms into a trace by mouse and keyboard, and keeps the visible range in the address", async () => {
    const { page } = dashboard;
    await open("steps");
    const trace = page.getByRole("region", { name: "Trace" });
    await trace.locator('[data-span="step"]').first().waitFor();
    expect(await trace.getByRole("row").count()).toBeLessThan(100);
    const axis = trace.getByTestId("axis");
    const box = await axis.boundingBox();
    if (!box) throw new Error("The axis has no place");
    await page.mouse.move(box.x + box.width * 0.3, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 10, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/zoom=\d+-\d+/);
    const zoom = () => new URL(page.url()).searchParams.get("zoom");
    const first = zoom();
    await page.keyboard.press("+");
    await eventually("it zoomed in", () => zoom() !== first);
    const second = zoom();
    await page.keyboard.press("Shift+ArrowRight");
    await eventually("it moved", () => zoom() !== second);
    await page.keyboard.press("z");
    await eventually("all is in sight", () => zoom() === null);
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("z");
    await eventually("the span fills the axis", () => zoom() !== null);
  });

  it("reported no error", () => {
    expect(dashboard.problems).toEqual([]);
  });
});
