/**
 * `npm run bench:scale`: what a run costs as partitions, concurrency keys, environments and backlog grow, on the real
 * one-machine server (workerd, its disk, HTTP). bench/README.md says what is measured. Options: `--runs N` of each row and
 * round, `--rounds N`, `--group partitions|keys|environments|backlog|objects` (may be repeated).
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { load } from "../load.ts";
import { untilQuiet } from "../quiet.ts";
import { median } from "../statistics.ts";
import { startAcmeServer } from "../systems/acme-process.ts";
import { cpuMs } from "../systems/process.ts";
import { GROUPS, type Row } from "./groups.ts";
import { NullHost } from "./host.ts";
import { createPlaces, type Place } from "./place.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3000" },
    rounds: { type: "string", default: "3" },
    group: { type: "string", multiple: true },
  },
});
const wanted = (id: string): boolean => !values.group || values.group.includes(id);
const runs = Number(values.runs);
const rounds = Number(values.rounds);
const CLIENTS = 32;
const WARM_UP = 1_500;

interface Round {
  /** Runs a second. */
  trigger: number;
  drain: number;
  /** CPU time of workerd a run, in microseconds. */
  triggerCpu: number;
  drainCpu: number;
}

const folder = mkdtempSync(join(tmpdir(), "acme-bench-scale-"));
const server = await startAcmeServer(folder);
const { worker, host: ownHost } = server.pids();
// Only this bench's own host asks for runs.
process.kill(ownHost, "SIGSTOP");
const credential = readFileSync(join(folder, "host/host-credential"), "utf8").trim();
const system = { serverPids: () => [worker], workerPids: () => [] };
const host = new NullHost(server.access.apiUrl, credential);

/** Elapsed time, and the CPU time of workerd. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
  const [started, cpu] = [performance.now(), cpuMs([worker])];
  await work();
  return { ms: performance.now() - started, cpuMs: cpuMs([worker]) - cpu };
}

const triggerAll = (places: Place[], { keys, together }: Row, count: number) =>
  load(CLIENTS, count, (n) => {
    const concurrencyKey = keys === 0 ? undefined : `key-${n % keys}`;
    const place = places[Math.floor(n / (together ?? 1)) % places.length] as Place;
    return place.trigger({ concurrencyKey });
  });

/** Triggers and drains in as many passes as needed. */
async function measure(row: Row, places: Place[]): Promise<Round> {
  const pass = row.together === null ? runs : row.together * places.length;
  const passes = row.restMs > 0 ? 1 : Math.ceil(runs / pass);
  await untilQuiet([system]);
  const sum = { triggerMs: 0, drainMs: 0, triggerCpuMs: 0, drainCpuMs: 0 };
  for (let n = 0; n < passes; n++) {
    if (row.restMs > 0) await sleep(row.restMs);
    const triggering = await timed(() => triggerAll(places, row, pass));
    if (row.restMs > 0) await sleep(row.restMs);
    if (row.backlog > 0) await places[0]?.pause("resume");
    const draining = await timed(() => host.work(pass));
    if (row.backlog > 0) await places[0]?.pause("pause");
    sum.triggerMs += triggering.ms;
    sum.triggerCpuMs += triggering.cpuMs;
    sum.drainMs += draining.ms;
    sum.drainCpuMs += draining.cpuMs;
  }
  const count = passes * pass;
  return {
    trigger: (count / sum.triggerMs) * 1_000,
    drain: (count / sum.drainMs) * 1_000,
    triggerCpu: (sum.triggerCpuMs / count) * 1_000,
    drainCpu: (sum.drainCpuMs / count) * 1_000,
  };
}

try {
  await host.begin();
  console.log(
    `${runs} runs a row and round, ${rounds} rounds in turn; ${cpus().length} cores (${cpus()[0]?.model}) that workerd, ` +
      "clients and host share. Medians; × is beside the first row of the group.",
  );
  for (const group of GROUPS.filter(({ id }) => wanted(id))) {
    const rows: { row: Row; places: Place[]; results: Round[] }[] = [];
    for (const row of group.rows) {
      const places = await createPlaces(server, folder, {
        count: row.environments,
        partitions: row.partitions,
      });
      const warmUp = Math.max(WARM_UP, row.environments * (row.together ?? 1));
      await triggerAll(places, row, warmUp);
      await host.work(warmUp);
      rows.push({ row, places, results: [] });
    }
    // The backlog keeps its size: as many runs are started as are triggered. The backlogs of other rows are
    // paused.
    for (const { row, places } of rows) {
      if (row.backlog === 0) continue;
      await triggerAll(places, row, row.backlog);
      await places[0]?.pause("pause");
    }
    for (let round = 0; round < rounds; round++) {
      // Each row is first at some time, so work that a row leaves to the server is not always charged to the
      // same row.
      for (const { row, places, results } of rotated(rows, round)) results.push(await measure(row, places));
    }
    report(group.title, rows);
    for (const { places } of rows) await Promise.all(places.map((place) => place.close()));
  }
} finally {
  await host.close();
  process.kill(ownHost, "SIGCONT");
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

// Objects share this machine; a separate part measures what they would do on machines of their own.
if (wanted("objects")) {
  const args = [join(import.meta.dirname, "objects/main.ts")];
  process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
}

function rotated<T>(items: T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function report(title: string, rows: { row: Row; results: Round[] }[]): void {
  const of = (results: Round[], figure: keyof Round): number => median(results.map((round) => round[figure]));
  const first = rows[0]?.results as Round[];
  const shown = (results: Round[], figure: keyof Round, digits = 0): string =>
    `${of(results, figure).toFixed(digits).padStart(7)} ×${(of(results, figure) / of(first, figure)).toFixed(2)}`;
  console.log(`\n${title}`);
  console.log(`${"".padEnd(24)} triggers/s     drain/s        CPU µs/trigger CPU µs/drained run`);
  for (const { row, results } of rows) {
    const figures = (["trigger", "drain", "triggerCpu", "drainCpu"] as const).map((figure) =>
      shown(results, figure).padEnd(15),
    );
    console.log(`${row.name.padEnd(24)}${figures.join("")}`.trimEnd());
  }
}
