import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dashboard, openDashboard } from "../support/dashboard.ts";
import { eventually } from "../support/eventually.ts";

const TASKS = `
import { task } from "@acme/sdk";
export const quick = task({ id: "quick", run: async ({ n }: { n: number }) => n });
export const fails = task({ id: "fails", retry: { maxAttempts: 1 }, run: async () => { throw new Error("no such card"); } });
`;

describe("batches, bulk actions and hosts in the dashboard", () => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await openDashboard(TASKS);
  });
  afterAll(() => dashboard?.close());

  it("says what to do where there is nothing yet", async () => {
    const { page, open } = dashboard;
    await open("batches");
    await page.getByText("No batch yet").waitFor();
    await open("bulk-actions");
    await page.getByText("Nothing was done in bulk yet").waitFor();
  });

  it("follows a batch to its end, with the outcomes of its items", async () => {
    const { page, open, api } = dashboard;
    const items = [1, 2, 3].map((n) => ({ task: n === 3 ? "fails" : "quick", payload: { n } }));
    const { id } = await api<{ id: string }>("POST", "/api/v1/tasks/batch", { items });
    await open("batches");
    const row = page.locator(`[data-row="${id}"]`);
    await row.locator('[data-batch-status="COMPLETED"]').waitFor();
    await row.getByText("3 / 3").waitFor();
    // By keyboard: opens the first row.
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    const pane = page.getByRole("complementary", { name: /^Batch/ });
    await eventually("its runs are listed", async () => (await pane.locator("[data-run]").count()) === 3);
    await pane.getByRole("button", { name: "Failed" }).click();
    await eventually("only the failed one is", async () => (await pane.locator("[data-run]").count()) === 1);
    await pane.locator("[data-run]").click();
    await page.waitForURL(/\/runs\/run_/);
    await page.getByRole("heading", { name: "fails" }).waitFor();
    // A pasted id opens it.
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search or run a command" }).fill(id);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.searchParams.get("batch") === id);
  });

  it("aborts a bulk action, and shows what it did", async () => {
    const { page, open, api } = dashboard;
    for (let n = 0; n < 5; n++) {
      const many = Array.from({ length: 400 }, () => ({
        task: "quick",
        payload: { n: 0 },
        options: { delay: "1h" },
      }));
      await api("POST", "/api/v2/tasks/batch", { items: many });
    }
    await eventually("they can be found", async () => {
      const path = "/api/v1/runs?filter[status]=DELAYED&page[size]=1";
      return (await api<{ data: unknown[] }>("GET", path)).data.length > 0;
    });
    const filter = { status: "DELAYED" };
    const { id } = await api<{ id: string }>("POST", "/api/v1/bulk-actions", {
      action: "cancel",
      name: "clear the backlog",
      filter,
    });
    await open(`bulk-actions?action=${id}`);
    const pane = page.getByRole("complementary", { name: "clear the backlog" });
    const progress = pane.getByTestId("bulk");
    // Aborted before its first step, it would have canceled nothing.
    await progress.getByText(/^[1-9].* canceled/).waitFor();
    const state = pane.locator("[data-bulk-status]");
    // It may end before the key is pressed; then there is nothing to abort.
    await page.keyboard.press("s");
    await eventually("it is over", async () => (await state.getAttribute("data-bulk-status")) !== "PENDING");
    await pane.getByRole("link", { name: "Those that it canceled" }).click();
    await page.waitForURL(/bulk=bulk_/);
    await eventually("what it canceled is listed", async () => {
      const shown = await page
        .locator("[data-run] [data-status]")
        .evaluateAll((all) => all.map((e) => e.getAttribute("data-status")));
      return shown.length > 0 && shown.every((status) => status === "CANCELED");
    });
  });

  it("counts a burst of new runs, and follows each of them, also the oldest", async () => {
    const { page, open, api } = dashboard;
    const items = Array.from({ length: 450 }, (_, n) => ({
      task: "quick",
      payload: { n },
      options: { delay: "1h", tags: ["burst"] },
    }));
    await open("runs?tag=burst&status=DELAYED");
    await page.getByText("No run matches").waitFor();
    await api("POST", "/api/v2/tasks/batch", { items: items.slice(0, 5) });
    const rows = page.locator("[data-run]");
    await eventually("the first ones are listed", async () => (await rows.count()) === 5);
    const oldest = await rows.last().getAttribute("data-run");
    await api("POST", "/api/v2/tasks/batch", { items: items.slice(5) });
    const pill = page.getByRole("button", { name: "445 new" });
    await pill.click();
    await pill.waitFor({ state: "hidden" });
    // 445 runs are newer than this one. It no longer matches the filter, and keeps its row.
    await page
      .locator(".overflow-auto:has([data-run])")
      .evaluate((list) => list.scrollTo(0, list.scrollHeight));
    const row = page.locator(`[data-run="${oldest}"]`);
    await row.locator('[data-status="DELAYED"]').waitFor();
    await api("POST", `/api/v2/runs/${oldest}/cancel`);
    await row.locator('[data-status="CANCELED"]').waitFor();
  });

  it("shows the hosts that execute its runs, and how to take one out of service", async () => {
    const { page, open } = dashboard;
    await open("hosts");
    const row = page.locator("[data-row]");
    await row.locator('[data-host-state="connected"]').waitFor();
    await row.getByText("process").waitFor();
    await row.click();
    await page.getByText(/acme admin hosts drain/).waitFor();
  });

  it("shows that a host drains, and how to resume it", async () => {
    const { page, open, server } = dashboard;
    const secrets = readFileSync(join(server.dataDir, "secrets.json"), "utf8");
    const { adminToken } = JSON.parse(secrets) as { adminToken: string };
    const asOperator = (method: string, path: string, body?: unknown) =>
      fetch(`${server.apiUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    const { data } = (await (await asOperator("GET", "/admin/v1/hosts")).json()) as {
      data: { hostId: string }[];
    };
    const host = data[0]?.hostId ?? "";
    await asOperator("POST", `/admin/v1/hosts/${host}/drain`, { draining: true });
    await open(`hosts?host=${host}`);
    await page.locator("[data-row]").locator('[data-host-state="draining"]').waitFor();
    await page.getByText(`acme admin hosts resume ${host}`).waitFor();
    await asOperator("POST", `/admin/v1/hosts/${host}/drain`, { draining: false });
    await page.locator("[data-row]").locator('[data-host-state="connected"]').waitFor();
  });

  it("shows a failed build with its log, and the previous version", async () => {
    const { page, open, api, server } = dashboard;
    const bundle = "export {};";
    const contentHash = createHash("sha256").update(bundle).digest("hex");
    await fetch(`${server.apiUrl}/api/v1/projects/${server.projectRef}/prod/bundles/${contentHash}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.accessToken}`, "content-type": "text/javascript" },
      body: bundle,
    });
    const begun = await api<{ id: string; version: string }>("POST", "/api/v1/deployments", {
      contentHash,
      manifest: { tasks: [{ id: "quick", filePath: "trigger/tasks.ts" }] },
      imageRepository: `registry.example.com/team/${server.projectRef}`,
    });
    const log = (number: number, text: string) =>
      api("POST", `/api/v1/deployments/${begun.id}/build-log`, {
        batch: { sender: "cli", number },
        lines: [{ time: Date.now(), text }],
      });
    await log(0, "#1 load build definition <img src=x onerror=alert(1)>");
    await open(`deployments?version=${begun.version}`);
    const pane = page.getByRole("complementary", { name: begun.version });
    const lines = pane.getByRole("region", { name: "Build log" });
    await lines.getByText("<img src=x onerror=alert(1)>").waitFor();
    expect(await page.locator("img").count()).toBe(0);
    // Output of the running build appears without a reload.
    await log(1, "#2 ERROR: npm ci ended with 1");
    await lines.getByText("npm ci ended with 1").waitFor();
    await api("POST", `/api/v1/deployments/${begun.id}/fail`, { error: { message: "npm ci ended with 1" } });
    await pane.getByRole("alert").getByText("npm ci ended with 1").waitFor();
    await pane.getByText("Build failed").waitFor();
    await pane.getByText("− fails").waitFor();
    expect(await pane.getByRole("button", { name: /^(Promote|Roll back)/ }).count()).toBe(0);
  });

  it("cancels a selection that is larger than one bulk action takes", async () => {
    const { page, open, api } = dashboard;
    const COUNT = 1_100;
    for (let left = COUNT; left > 0; left -= 400) {
      const items = Array.from({ length: Math.min(400, left) }, () => ({
        task: "quick",
        payload: { n: 0 },
        options: { delay: "1h", tags: ["many"] },
      }));
      await api("POST", "/api/v2/tasks/batch", { items });
    }
    // Of a burst while the page is open, only the newest runs reach the page.
    await eventually("all are listed", async () => {
      let found = 0;
      for (let after = ""; ; ) {
        const page = await api<{ data: unknown[]; pagination: { next?: string } }>(
          "GET",
          `/api/v1/runs?filter[tag]=many&page[size]=100${after}`,
        );
        found += page.data.length;
        if (!page.pagination.next) return found === COUNT;
        after = `&page[after]=${page.pagination.next}`;
      }
    });
    await open("runs?tag=many&status=DELAYED");
    const grid = page.getByRole("grid", { name: "Runs" });
    await page.locator("[data-run]").first().waitFor();
    await eventually("all are loaded", async () => {
      await page.keyboard.press("End");
      return Number(await grid.getAttribute("aria-rowcount")) === COUNT;
    });
    await page.keyboard.press("Control+a");
    await page.keyboard.press("c");
    await page.getByRole("button", { name: "Cancel 1,100 runs" }).click();
    await page.getByTestId("bulk").getByText("1,100 of 1,100 runs canceled").waitFor({ timeout: 60_000 });
    const { data } = await api<{ data: { type: string; counts: { total: number } }[] }>(
      "GET",
      "/api/v1/bulk-actions",
    );
    expect(data.slice(0, 2).map(({ counts }) => counts.total)).toEqual([100, 1_000]);
    await page.keyboard.press("Escape");
  });

  it("has no page with violations found by axe", async () => {
    expect(await dashboard.axe(["batches", "bulk-actions", "hosts", "deployments"])).toEqual([]);
    expect(dashboard.problems).toEqual([]);
  });
});
