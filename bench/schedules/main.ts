/**
 * Schedules of one environment that are all due in the same minute, on the real one-machine server: `node
 * bench/schedules/main.ts [--schedules 10000] [--queues 4] [--zones 20] [--kill 0]`. Prints how long after
 * their minute their runs were created, and whether each schedule has exactly one run. With `--kill N`,
 * workerd is killed N times while the runs are created.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { schedules } from "@acme/sdk";
import { deployTaskFile } from "../../tests/support/deploy-task.ts";
import { expected, type HttpClient } from "../http-client.ts";
import { load } from "../load.ts";
import { percentile } from "../statistics.ts";
import { startAcmeServer } from "../systems/acme-process.ts";

const MINUTE = 60_000;

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "10000" },
    queues: { type: "string", default: "4" },
    zones: { type: "string", default: "20" },
    kill: { type: "string", default: "0" },
  },
});
const count = Number(values.schedules);
const queues = Number(values.queues);

interface ListedRun {
  id: string;
  createdAt: string;
  taskIdentifier: string;
}

const folder = mkdtempSync(join(tmpdir(), "acme-bench-schedules-"));
const server = await startAcmeServer(folder);
try {
  const { access, http } = server;
  await deployTaskFile(access, tasks());
  const client = { clientConfig: { baseURL: access.apiUrl, accessToken: access.secretKey } };
  const { timezones } = await schedules.timezones({}, client);
  const zones = timezones.filter((_, n) => n % Math.ceil(timezones.length / Number(values.zones)) === 0);

  // All schedules exist well before their minute: 250 per second is a slow rate of creation.
  const due = Math.ceil((Date.now() + count * 4 + 15_000) / MINUTE) * MINUTE;
  const started = performance.now();
  await load(16, count, async (n) => {
    const timezone = zones[n % zones.length] as string;
    const task = `task-${n % queues}`;
    await schedules.create(
      { task, cron: dailyAt(due, timezone), timezone, deduplicationKey: `s-${n}` },
      client,
    );
  });
  const seconds = (performance.now() - started) / 1_000;
  console.log(
    `${count} schedules in ${zones.length} time zones and ${queues} queues, created in ${seconds.toFixed(1)} s`,
  );
  if (Date.now() > due - 1_000)
    throw new Error("The schedules were not created in time: this machine is too slow.");

  await until(due);
  for (let n = 0; n < Number(values.kill); n++) await killWorkerd();
  await until(due + 20_000);
  const runs = await settled(http);
  const distinct = new Set(runs.map(({ id }) => id)).size;
  console.log(`runs: ${distinct}, duplicates: ${runs.length - distinct}`);
  const late = runs.map(({ createdAt }) => Date.parse(createdAt) - due);
  const figures = [0, 0.5, 0.9, 0.99, 1].map((share) => `${percentile(late, share)} ms`);
  console.log(`created after their minute: least, p50, p90, p99, most: ${figures.join(", ")}`);
  const widest = 500;
  const slots = Map.groupBy(late, (ms) => Math.floor(ms / widest));
  for (const slot of [...slots.keys()].sort((a, b) => a - b)) {
    const inSlot = slots.get(slot)?.length ?? 0;
    const bar = "#".repeat(Math.ceil((inSlot / late.length) * 60));
    console.log(
      `${String(slot * widest).padStart(6)}–${(slot + 1) * widest} ms ${String(inSlot).padStart(6)} ${bar}`,
    );
  }
  if (distinct !== count || runs.length !== count) process.exitCode = 1;
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

function until(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, time - Date.now())));
}

/** Kills workerd as soon as it has had time to create some more runs. The server starts it again. */
async function killWorkerd(): Promise<void> {
  await until(Date.now() + 900);
  const pidOf = () => server.pids().worker;
  const pid = pidOf();
  process.kill(pid, "SIGKILL");
  console.log(`workerd killed, ${Date.now() % MINUTE} ms after the minute`);
  while (pidOf() === pid) await until(Date.now() + 50);
}

/** Returns all runs, once a second look finds no more. */
async function settled(http: HttpClient): Promise<ListedRun[]> {
  for (let before = await listAll(http); ; ) {
    await until(Date.now() + 3_000);
    const now = await listAll(http);
    if (now.length === before.length) return now;
    before = now;
  }
}

function tasks(): string {
  const each = Array.from(
    { length: queues },
    (_, n) => `export const t${n} = schedules.task({ id: "task-${n}", run: async () => {} });`,
  );
  return `import { schedules } from "@acme/sdk";\n${each.join("\n")}`;
}

/** Returns the expression that names this instant, every day, in the local time of a zone. */
function dailyAt(time: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    hour: "numeric",
    minute: "numeric",
  }).formatToParts(time);
  const value = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  return `${value("minute")} ${value("hour")} * * *`;
}

async function listAll(http: HttpClient): Promise<ListedRun[]> {
  const all: ListedRun[] = [];
  for (let after = ""; ; ) {
    const query = `page[size]=100${after && `&page[after]=${encodeURIComponent(after)}`}`;
    const page = JSON.parse(expected(await http.get(`/api/v1/runs?${query}`), 200)) as {
      data: ListedRun[];
      pagination: { next?: string };
    };
    all.push(...page.data);
    if (!page.pagination.next) return all;
    after = page.pagination.next;
  }
}
