/** `npm run simulate -- --seeds 1000 [--from N]`, or `--seed N` to replay one. */
import { parseArgs } from "node:util";
import "./register.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, from: { type: "string" }, seed: { type: "string" } },
});
const { simulate } = await import("./simulate.ts");

const from = Number(values.seed ?? values.from ?? 1);
const count = values.seed === undefined ? Number(values.seeds ?? 100) : 1;
let steps = 0;
let runs = 0;
const failures: string[] = [];
for (let seed = from; seed < from + count; seed++) {
  try {
    const result = await simulate(seed);
    steps += result.steps;
    runs += result.runs;
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error));
    console.error(failures.at(-1));
    if (values.seed !== undefined) console.error(error);
  }
}
console.log(
  `${count - failures.length} of ${count} seeds passed: ${runs} runs, ${steps} steps, every one checked`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
