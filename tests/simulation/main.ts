/**
 * `npm run simulate -- --seeds 1000 [--from N] [--jobs N]`, or `--seed N` to replay one and see what happened to the runs
 * concerned where it fails.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import "./register.ts";
import { runSeeds } from "./seeds.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: String(availableParallelism()) },
    seed: { type: "string" },
  },
});

if (values.seed !== undefined) {
  const { simulate } = await import("./simulate.ts");
  try {
    const { kind, runs, steps, took, trace } = await simulate(Number(values.seed), { trace: true });
    console.log(
      `Seed ${values.seed} passed: ${kind}, ${runs} runs, ${steps} steps, ${(took / 60_000).toFixed(1)} virtual minutes, trace ${trace}`,
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof Error) console.error(error.cause);
    process.exitCode = 1;
  }
} else {
  const count = Number(values.seeds);
  let passed = 0;
  let steps = 0;
  let runs = 0;
  await runSeeds({ from: Number(values.from), count, jobs: Number(values.jobs) }, ({ result, failure }) => {
    if (failure) console.error(failure.message);
    if (result) {
      passed += 1;
      steps += result.steps;
      runs += result.runs;
    }
    return true;
  });
  console.log(`${passed} of ${count} seeds passed: ${runs} runs, ${steps} steps, every one checked`);
  process.exitCode = passed === count ? 0 : 1;
}
