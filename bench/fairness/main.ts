/**
 * `npm run bench:fairness`: 1,000 environments on hosts with 200 slots; one environment queued 100,000 runs
 * before all others. Options: `--environments N --early N --each N`. Exits with 1 if Jain's index is below
 * 0.99.
 */
import { parseArgs } from "node:util";
import "../../tests/simulation/register.ts";

const { values } = parseArgs({
  options: {
    environments: { type: "string", default: "1000" },
    early: { type: "string", default: "100000" },
    each: { type: "string", default: "20" },
  },
});
const { measureFairness } = await import("./measure.ts");

const LEAST_JAIN = 0.99;
const environments = Number(values.environments);
const options = {
  environments,
  earlyRuns: Number(values.early),
  runsEach: Number(values.each),
  hosts: 4,
  slotsPerHost: 50,
  newcomers: 20,
};

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const middle = (sorted: number[]): number => sorted[Math.floor(sorted.length / 2)] ?? 0;

async function show(name: string, weightOf: (index: number) => number): Promise<boolean> {
  const { starts, jain, newcomers, throughput, fifoWait } = await measureFairness({ ...options, weightOf });
  const others = starts.slice(1);
  const { waits, overtakenBy } = newcomers;
  console.log(`\n${name}`);
  console.log(`  Jain's index of starts by weight       ${jain.toFixed(5)} (1: perfectly fair)`);
  console.log(
    `  starts of the early one                ${starts[0]}; of the others ${Math.min(...others)} to ${Math.max(...others)}`,
  );
  console.log(
    `  a newcomer's wait for its first run    ${seconds(middle(waits))} (median of ${waits.length}), ${seconds(waits.at(-1) ?? 0)} (longest)`,
  );
  console.log(
    `  runs started while it waited           ${middle(overtakenBy)} (median), ${overtakenBy.at(-1)} (most)`,
  );
  console.log(`  behind everything queued it would be   ${seconds(fifoWait)}`);
  console.log(`  starts a second                        ${throughput.toFixed(0)}`);
  return jain >= LEAST_JAIN;
}

console.log(
  `${environments} environments; one queued ${options.earlyRuns} runs first, each of the others ${options.runsEach} later. ` +
    `${options.hosts * options.slotsPerHost} slots, runs of 1 s. Times are of the virtual clock.`,
);
const equal = await show("Equal weights", () => 1);
const weighted = await show("Every tenth has a weight of 3", (index) => (index % 10 === 0 ? 3 : 1));
process.exitCode = equal && weighted ? 0 : 1;
