/** Acme beside Restate, on this machine, in one run. `npm run bench -- --help`; bench/README.md says what is measured. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { countFlushes, type Flushes, hasStrace } from "./fsync.ts";
import { Marks } from "./marks.ts";
import { METRICS } from "./metrics/index.ts";
import type { Metric } from "./metrics/metric.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { profileAcme } from "./profile/profile.ts";
import { untilQuiet } from "./quiet.ts";
import { CPU_FIGURES, flushesText, othersText, type Rounds, spreadOf, table } from "./report.ts";
import { startAcme } from "./systems/acme.ts";
import { startBullMq } from "./systems/bullmq.ts";
import { startGraphile } from "./systems/graphile.ts";
import { startRestate } from "./systems/restate.ts";
import type { System } from "./systems/system.ts";
import { withUsage } from "./usage.ts";

const RESULTS = fileURLToPath(new URL("results/", import.meta.url));
const START = {
  acme: startAcme,
  restate: startRestate,
  bullmq: startBullMq,
  graphile: startGraphile,
} as const;

/**
 * Runs the rounds of one metric: A B B A, each in a quiet moment, so that fluctuations of the machine affect
 * both alike.
 */
async function measure(
  metric: Metric,
  all: System[],
  marks: Marks,
  { rounds, baseline, runs = metric.runs }: BenchOptions,
): Promise<Rounds> {
  const systems = all.filter(({ isQueue }) => !isQueue || metric.ofQueues);
  const results: Rounds = new Map(systems.map((system) => [system.name, []]));
  for (const system of systems) {
    marks.clear();
    await (metric.warmUp ?? metric.round)(system, marks, runs);
  }
  const most = baseline === undefined ? (metric.maxRounds ?? rounds) : rounds;
  for (let round = 1; round <= Math.min(rounds, most); round++) {
    for (const system of round % 2 === 1 ? systems : systems.toReversed()) {
      await untilQuiet(all);
      const { result, usage } = await withUsage(system, all, () => metric.round(system, marks, runs));
      const figures = {
        ...result,
        cpuServer: usage.serverMs / runs,
        cpuWorkers: usage.workersMs / runs,
        others: usage.othersShare,
      };
      results.get(system.name)!.push(figures);
      const shown = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(2)}`);
      console.error(`${metric.id} ${round} ${system.name}: ${shown.join(", ")}`);
    }
  }
  return results;
}

async function bench(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "acme-bench-"));
  const systems: System[] = [];
  const marks = await Marks.listen(join(folder, "marks.sock"));
  try {
    const metrics = METRICS.filter((metric) => options.metrics.includes(metric.id));
    if (options.profile) return await profileAcme(metrics, marks, join(folder, "acme"), RESULTS);
    for (const id of options.systems) systems.push(await START[id](join(folder, id)));
    if (options.baseline !== undefined)
      systems.push(await startAcme(join(folder, "baseline"), { root: resolve(options.baseline) }));
    const results: { metric: Metric; rounds: Rounds }[] = [];
    for (const metric of metrics)
      results.push({ metric, rounds: await measure(metric, systems, marks, options) });
    const flushes = new Map<string, Flushes>();
    if (hasStrace() && options.baseline === undefined) {
      for (const system of systems) {
        await untilQuiet(systems);
        flushes.set(system.name, await countFlushes(system));
      }
    }
    const names = systems.map((system) => system.name);
    console.log(`\n${table(results, names)}\n`);
    console.log(
      "median of rounds (least–most); both systems, their workers and the client share this machine's cores",
    );
    console.log(`${othersText(results)}`);
    for (const { metric } of results) console.log(`- ${metric.title}: ${metric.how}`);
    for (const { name, durability } of systems) console.log(flushesText(name, durability, flushes.get(name)));
    console.log(`\nAll rounds: ${save({ results, names, flushes })}`);
  } finally {
    for (const system of systems) await system.stop();
    marks.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes everything that was measured to a file of its own. Returns its path. */
function save(all: {
  results: { metric: Metric; rounds: Rounds }[];
  names: string[];
  flushes: Map<string, Flushes>;
}): string {
  mkdirSync(RESULTS, { recursive: true });
  const at = new Date().toISOString();
  const file = join(RESULTS, `${at.replaceAll(/[:.]/g, "-")}.json`);
  const metrics = all.results.map(({ metric, rounds }) => ({
    id: metric.id,
    title: metric.title,
    how: metric.how,
    systems: all.names
      .filter((name) => rounds.has(name))
      .map((name) => ({
        name,
        figures: Object.fromEntries(
          Object.keys({ ...metric.figures, ...CPU_FIGURES }).map((figure) => [
            figure,
            spreadOf(rounds.get(name)!, figure),
          ]),
        ),
        rounds: rounds.get(name),
      })),
  }));
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
  };
  writeFileSync(
    file,
    JSON.stringify({ at, machine, metrics, flushes: Object.fromEntries(all.flushes) }, null, 2),
  );
  return file;
}

const args = process.argv.slice(2);
if (args.includes("--help")) {
  console.log(USAGE);
} else {
  try {
    await bench(parseOptions(args));
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    process.exit(1);
  }
}
