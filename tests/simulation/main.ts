/**
 * `npm run simulate -- --seeds 1000 [--from N] [--jobs N] [--kind
 * storm|crowd|split|debounce|watched|backlog]`, or `--seed
 * N` to replay one seed; if it fails, this prints the history of the runs concerned. `--mutation NAME` runs
 * the code with one of the mutations until a seed fails. `--report FILE` writes the traces of the seeds and
 * the plans of all statements.
 */
import { writeFileSync } from "node:fs";
import "./mutations/register.ts";
import "./register.ts";
import { RUN_STATUS, RUN_STATUSES } from "@acme/sdk/contract";
import type { Edge } from "./checks/run-changes.ts";
import { options } from "./options.ts";
import type { SimulationReport } from "./report.ts";
import { runSeeds } from "./seeds.ts";
import type { StatementPlan } from "./statement-plans.ts";
import { Trace } from "./trace.ts";

const { seed, kind, count, mutation, report } = options;
const ALL_EDGES = RUN_STATUSES.flatMap((from) => RUN_STATUS[from].next.map((to): Edge => `${from} → ${to}`));

if (seed !== undefined) await replay(seed);
else await runAll();

async function replay(seed: number): Promise<void> {
  const { simulate } = await import("./simulate.ts");
  try {
    const { kind: drawn, runs, steps, took, trace } = await simulate(seed, { trace: true, kind });
    const minutes = (took / 60_000).toFixed(1);
    console.log(
      `Seed ${seed} passed: ${drawn}, ${runs} runs, ${steps} steps, ${minutes} virtual minutes, trace ${trace}`,
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof Error) console.error(error.cause);
    process.exitCode = 1;
  }
}

async function runAll(): Promise<void> {
  let passed = 0;
  let steps = 0;
  let runs = 0;
  const traces = new Map<number, string>();
  const edges = new Set<Edge>();
  const plans = new Map<string, StatementPlan>();
  await runSeeds(options, ({ result, failure, plans: found = [] }) => {
    for (const plan of found) plans.set(`${plan.binding} ${plan.query}`, plan);
    if (failure) console.error(failure.message);
    if (result) {
      passed += 1;
      steps += result.steps;
      runs += result.runs;
      for (const edge of result.edges) edges.add(edge);
      traces.set(result.seed, result.trace);
    }
    return !failure || mutation === undefined;
  });
  if (report !== undefined) {
    const written: SimulationReport = { traces: Object.fromEntries(traces), plans: [...plans.values()] };
    writeFileSync(report, JSON.stringify(written));
  }
  const all = new Trace(false);
  for (const [, trace] of [...traces].sort(([a], [b]) => a - b)) all.add(trace);
  console.log(
    `${passed} of ${count} seeds passed: ${runs} runs, ${steps} steps, every one checked, trace ${all.digest()}`,
  );
  const unseen = ALL_EDGES.filter((edge) => !edges.has(edge));
  const unknown = [...edges].filter((edge) => !ALL_EDGES.includes(edge));
  console.log(
    `${ALL_EDGES.length - unseen.length} of ${ALL_EDGES.length} transitions of the table of states occurred`,
  );
  if (unseen.length > 0) console.log(`Did not occur: ${unseen.join(", ")}`);
  if (unknown.length > 0) console.error(`Not in the table of states: ${unknown.join(", ")}`);
  process.exitCode = passed === count && unknown.length === 0 ? 0 : 1;
}
