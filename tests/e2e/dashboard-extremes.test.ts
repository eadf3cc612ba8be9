import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dashboard, openDashboard } from "../support/dashboard.ts";
import { cutOff, loaded, openFirstRow, PAGES } from "../support/dashboard-pages.ts";
import { eventually } from "../support/eventually.ts";

/** Markup, a text that runs from right to left, and characters without a width. */
const HOSTILE = "<img src=x onerror=alert(1)>\u202Elive\u200B\u2066";

const TASKS = `
import { metadata, schedules, step, task, wait } from "@acme/sdk";
const HOSTILE = ${JSON.stringify(HOSTILE)};
export const greet = task({ id: "greet", run: async () => HOSTILE });
export const evil = task({
  id: "__proto__",
  retry: { maxAttempts: 1 },
  run: async () => {
    metadata.set("__proto__", HOSTILE).set("constructor", { __proto__: null, [HOSTILE]: HOSTILE });
    console.log(HOSTILE.repeat(20_000));
    const error = new Error(HOSTILE + "x".repeat(1_000_000));
    error.name = HOSTILE;
    throw error;
  },
});
export const asks = task({
  id: "asks",
  run: async () => {
    await wait.forToken(await wait.createToken({ timeout: "1d", title: "Refund " + HOSTILE + "?" }));
  },
});
export const nightly = schedules.task({ id: "nightly", run: async () => {} });
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

  it("shows what people and programs named as text, on every page", { timeout: 300_000 }, async () => {
    const { page, open, api, server, trigger } = dashboard;
    const { apiUrl, projectRef } = server;
    const asOwner = async (method: string, path: string, data: unknown): Promise<{ id?: string }> => {
      const headers = {
        "x-acme-environment": `${projectRef}/prod`,
        origin: apiUrl,
        "user-agent": HOSTILE.slice(0, 27),
      };
      const answer = await page.request.fetch(`${apiUrl}${path}`, { method, headers, data });
      expect(`${path}: ${answer.status()}`).toMatch(/: 20\d$/);
      return (await answer.json()) as { id?: string };
    };
    await trigger(
      "__proto__",
      { [HOSTILE]: HOSTILE, __proto__: 1 },
      { tags: [HOSTILE, "__proto__"], concurrencyKey: HOSTILE },
    );
    await asOwner("PUT", `/api/v1/projects/${projectRef}`, { name: HOSTILE });
    await asOwner("PUT", "/api/v1/organizations/default", { name: HOSTILE });
    await asOwner("POST", `/api/v1/projects/${projectRef}/prod/keys`, {
      name: HOSTILE,
      expiresInSeconds: null,
    });
    await asOwner("POST", `/api/v1/projects/${projectRef}/envvars/prod/import`, {
      variables: { HOSTILE, VALUE: HOSTILE },
    });
    const channel = await asOwner("POST", "/api/v1/alerts/channels", {
      type: "webhook",
      name: HOSTILE,
      url: "https://alerts.example.invalid/hook",
    });
    await asOwner("POST", "/api/v1/alerts/rules", {
      name: HOSTILE,
      condition: { type: "error" },
      channels: [channel.id],
      enabled: true,
    });
    await asOwner("POST", "/api/v1/schedules", {
      task: "nightly",
      cron: "0 8 * * *",
      timezone: "UTC",
      externalId: HOSTILE,
      deduplicationKey: HOSTILE,
    });
    await api("POST", "/api/v1/bulk-actions", {
      action: "cancel",
      name: HOSTILE,
      filter: { status: "DELAYED" },
    });
    // More than a page of the API has.
    for (let n = 0; n < 130; n++)
      await api("POST", "/api/v1/waitpoints/tokens", {
        title: `${n} ${HOSTILE}`,
        tags: [HOSTILE],
        description: HOSTILE,
      });
    await open("errors?status=all");
    await page.getByRole("main").locator("[data-row]").first().waitFor();

    const shown: string[] = [];
    let asked = 0;
    page.on("dialog", (dialog) => {
      asked += 1;
      void dialog.dismiss();
    });
    for (const path of [...PAGES, `runs?tag=${encodeURIComponent(HOSTILE)}`, `runs?task=__proto__`]) {
      await open(path);
      await loaded(page);
      await openFirstRow(page);
      expect(`${path}: ${await page.locator("img").count()} images`).toBe(`${path}: 0 images`);
      expect(await cutOff(page)).toEqual([]);
      if (((await page.getByRole("main").textContent()) ?? "").includes("<img src=x onerror=alert(1)>"))
        shown.push(path);
      // It still answers, once a form that the row has opened is closed.
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.keyboard.press("?");
      await page.getByRole("dialog").getByText("Go to runs").waitFor();
      await page.keyboard.press("Escape");
    }
    expect(asked).toBe(0);
    for (const path of [
      "runs",
      "errors?status=all",
      "alerts",
      "alerts?tab=channels",
      "inbox",
      "schedules",
      "bulk-actions",
      "variables",
      "keys",
      "audit",
    ])
      expect(shown).toContain(path);

    await open("inbox");
    const rows = page.getByRole("grid", { name: "Tokens" });
    await eventually("all tokens are there to scroll to", async () => {
      await rows.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      return Number(await rows.getAttribute("aria-rowcount")) >= 130;
    });
    expect(await rows.locator("[data-row]").count()).toBeLessThan(100);
    const waiting = await trigger("asks", {});
    await open(`runs/${waiting}`);
    await page
      .getByTestId("headline")
      .getByRole("link", { name: /^Refund <img/ })
      .click();
    await page.waitForURL(/\/inbox\?token=waitpoint_/);
    await page.getByRole("complementary", { name: /^Refund <img/ }).waitFor();
  });

  it("reported no error", () => {
    // What needs ClickHouse says so.
    expect(dashboard.problems.filter((problem) => !/status of 501/.test(problem))).toEqual([]);
  });
});
