/**
 * The dashboard in headless Chromium on a real server, with a host that executes nothing: from the commit of a change to the
 * frame that shows it; frames and memory of the runs page while rows change; the runs page of an environment with many runs.
 *
 *   node scripts/bootstrap.mjs bench/dashboard/main.ts [--phase pixel|frames|memory|large]… [--rate 34] [--seconds 30]
 *     [--minutes 2] [--runs 100000]
 *
 * `--rate`: runs per second in `frames` and `memory`. Each changes three times: it is created, leased and
 * ended.
 */
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { CDPSession, Page } from "playwright-core";
import { openBrowser, openPage } from "../../tests/support/browser.ts";
import { eventually } from "../../tests/support/eventually.ts";
import { expected } from "../http-client.ts";
import { Setting } from "../live/setting.ts";
import { Place } from "../scale/place.ts";
import { percentile } from "../statistics.ts";
import { startProbe } from "./page-probe.ts";

const { values } = parseArgs({
  options: {
    phase: { type: "string", multiple: true },
    rate: { type: "string", default: "34" },
    seconds: { type: "string", default: "30" },
    minutes: { type: "string", default: "2" },
    runs: { type: "string", default: "100000" },
  },
});
const wanted = (phase: string): boolean => !values.phase || values.phase.includes(phase);
const rate = Number(values.rate);
const TAG = "bench";

const setting = await Setting.start();
const browser = await openBrowser();
const { apiUrl } = setting.server.access;

/** A signed-in page that shows the runs of a project's production environment. */
async function openRuns(place: Place): Promise<{ page: Page; devtools: CDPSession; address: string }> {
  const secrets = readFileSync(join(setting.folder, "secrets.json"), "utf8");
  const { adminToken } = JSON.parse(secrets) as { adminToken: string };
  const answer = await fetch(`${apiUrl}/admin/v1/sign-in-links`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ email: "bench@example.com", organization: place.organization, role: "owner" }),
  });
  const { url } = (await answer.json()) as { url: string };
  const { page } = await openPage(browser);
  const address = `${apiUrl}/orgs/${place.organization}/projects/${place.projectRef}/env/prod/runs`;
  await page.goto(url);
  await page.waitForURL(/\/env\/prod\/runs$/);
  await page.addInitScript(startProbe);
  await page.goto(address);
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  return { page, devtools: await page.context().newCDPSession(page), address };
}

const loadAverage = (): string => `load average ${loadavg()[0]?.toFixed(1)}`;
const p50p95 = (samples: readonly number[]): string =>
  `p50 ${percentile(samples, 0.5).toFixed(0)} ms, p95 ${percentile(samples, 0.95).toFixed(0)} ms (${samples.length} samples)`;

/** Clicks the pill of new runs, if it is shown. */
const showNew = (page: Page) =>
  page.evaluate(() => {
    const pill = [...document.querySelectorAll("button")].find((button) => / new$/.test(button.textContent));
    pill?.click();
  });
const shownAt = (page: Page, state: string) =>
  page.evaluate((wantedState) => globalThis.probe.shown.get(wantedState), state);

/** Triggers one run after the other, so that each change is measured separately. */
async function pixel(): Promise<void> {
  const { page } = await openRuns(setting.place);
  const created: number[] = [];
  const ended: number[] = [];
  for (let n = 0; n < 45; n++) {
    await page.evaluate(() => globalThis.probe.fresh.clear());
    const { id } = JSON.parse(expected(await setting.place.tryTrigger({ tags: [TAG] }), 200)) as {
      id: string;
    };
    const listed = async () => (await setting.place.listRuns(TAG, 5)).find((run) => run.id === id);
    const first = () => page.evaluate(() => globalThis.probe.fresh.get("1 new"));
    const at = await eventually("it is in the pill", first);
    const { createdAt } = await eventually("it is listed", listed);
    created.push(at - Date.parse(createdAt));
    await showNew(page);
    await setting.host.work(1);
    const shown = await eventually("its row is over", () => shownAt(page, `${id} COMPLETED`));
    const over = await eventually("it is listed as over", async () => {
      const run = await listed();
      return run?.isCompleted && run;
    });
    ended.push(shown - Date.parse(over.updatedAt));
  }
  // The first runs include the compilation of the code.
  console.log(`commit → frame, one run at a time, ${loadAverage()}`);
  console.log(`  created, to the pill: ${p50p95(created.slice(4))}`);
  console.log(`  ended, in its row:    ${p50p95(ended.slice(4))}`);
  await page.context().close();
}

/** Counts the changed runs that arrive on the socket. */
function countChanges(page: Page): () => number {
  let changes = 0;
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      try {
        const message = JSON.parse(String(payload)) as { type?: string; runs?: unknown[] };
        if (message.type === "changes") changes += message.runs?.length ?? 0;
      } catch {
        // The answer to a ping is not JSON.
      }
    }),
  );
  return () => changes;
}

/** Keeps clicking the pill of new runs, as a user would, until the work has ended. */
async function showing(page: Page, everyMs: number, work: Promise<unknown>): Promise<void> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  while (!over) {
    await Promise.race([sleep(everyMs), ended]);
    await showNew(page);
  }
  await ended;
}

async function frames(): Promise<void> {
  const { page, address } = await openRuns(setting.place);
  const changes = countChanges(page);
  await page.goto(address);
  await setting.runs(TAG, rate, 3);
  await showNew(page);
  const seconds = Number(values.seconds);
  const before = changes();
  await page.evaluate(() => globalThis.probe.frames.splice(0));
  await showing(page, 1_000, setting.runs(TAG, rate, seconds));
  const measured = await page.evaluate(() => globalThis.probe.frames);
  const perSecond = ((changes() - before) / seconds).toFixed(0);
  console.log(`frames while ${perSecond} rows a second change, ${loadAverage()}: ${p50p95(measured)}`);
  await page.context().close();
}

async function memory(): Promise<void> {
  const { page, devtools, address } = await openRuns(setting.place);
  const changes = countChanges(page);
  await page.goto(address);
  const heap = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    const { usedSize } = await devtools.send("Runtime.getHeapUsage");
    const { nodes } = await devtools.send("Memory.getDOMCounters");
    return `${(usedSize / 1_048_576).toFixed(1)} MB of heap, ${nodes} nodes`;
  };
  await setting.runs(TAG, rate, 5);
  await showNew(page);
  console.log(`memory while ${rate * 3} rows a second change, ${loadAverage()}; at first: ${await heap()}`);
  for (let minute = 1; minute <= Number(values.minutes); minute++) {
    const before = changes();
    await page.evaluate(() => globalThis.probe.frames.splice(0));
    // In every second minute, more new runs arrive than the page keeps.
    await showing(page, minute % 2 === 0 ? 25_000 : 5_000, setting.runs(TAG, rate, 60));
    const measured = await page.evaluate(() => globalThis.probe.frames);
    const rows = await page.getByRole("grid", { name: "Runs" }).getAttribute("aria-rowcount");
    console.log(
      `  ${minute} min: ${await heap()}, ${rows} rows loaded; ${changes() - before} changes; frames ${p50p95(measured)}; ${loadAverage()}`,
    );
  }
  await page.context().close();
}

/** Milliseconds until the rows of a page are rendered, and from then until a row reacts to a key. */
async function load(page: Page, address: string): Promise<{ rows: number; key: number }> {
  await page.goto("about:blank");
  await page.goto(address, { waitUntil: "commit" });
  await page.locator("[data-run]").nth(10).waitFor();
  return page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    while (globalThis.probe.rowsAt === null) await frame();
    const began = performance.now();
    while (!document.querySelector('[data-run][style*="box-shadow"]')) {
      window.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
      await frame();
    }
    return { rows: globalThis.probe.rowsAt, key: performance.now() - began };
  });
}

/** Loads the same page for an environment with few runs and for one with many, in turn. */
async function large(): Promise<void> {
  const counts = [100, Number(values.runs)];
  const places = await Promise.all(
    counts.map(async (count) => {
      const place = await Place.create(setting.server, setting.folder, 1);
      await place.backlog(count);
      // The rows of a queue reach the query side in order.
      await place.trigger({ tags: ["last"] });
      await eventually("all are listed", async () => (await place.listRuns("last", 1)).length === 1, 240_000);
      return { place, count, ...(await openRuns(place)), loads: [] as { rows: number; key: number }[] };
    }),
  );
  for (let n = 0; n < 9; n++)
    for (const { page, address, loads } of places) loads.push(await load(page, address));
  console.log(`from navigation to rows, and from then to a row that reacts to a key, ${loadAverage()}`);
  for (const { place, page, count, loads } of places) {
    // The first load fills the caches.
    const of = (key: "rows" | "key") => p50p95(loads.slice(1).map((each) => each[key]));
    console.log(`  ${count} runs: rows ${of("rows")}, key ${of("key")}`);
    await place.close();
    await page.context().close();
  }
}

try {
  await setting.runs("warm", 20, 3);
  if (wanted("pixel")) await pixel();
  if (wanted("frames")) await frames();
  if (wanted("large")) await large();
  if (wanted("memory")) await memory();
} finally {
  await browser.close();
  await setting.stop();
}
process.exit();
