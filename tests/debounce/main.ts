/** `node tests/debounce/main.ts --seeds 100 [--from N]`. */
import { parseArgs } from "node:util";
import "../simulation/register.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "100" }, from: { type: "string", default: "1" } },
});
const { simulateDebounce } = await import("./simulate.ts");

const from = Number(values.from);
const count = Number(values.seeds);
let passed = 0;
let triggers = 0;
let runs = 0;
for (let seed = from; seed < from + count; seed++) {
  try {
    const result = await simulateDebounce(seed);
    passed += 1;
    triggers += result.triggers;
    runs += result.runs;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
}
console.log(`${passed} of ${count} seeds passed: ${triggers} triggers came to ${runs} runs`);
process.exitCode = passed === count ? 0 : 1;
