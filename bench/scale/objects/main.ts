/**
 * Part of `npm run bench:scale`: how long each object of a partitioned queue is busy. `--runs N`, `--rounds
 * N`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../../statistics.ts";
import { type Busy, Objects } from "./measure.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "8000" },
    rounds: { type: "string", default: "3" },
  },
});
const folder = mkdtempSync(join(tmpdir(), "acme-bench-objects-"));
try {
  const rows = [1, 2, 4, 8].map((partitions) => ({ partitions, results: [] as Busy[] }));
  for (const { partitions } of rows)
    new Objects(mkdtempSync(join(folder, "warm-")), partitions).measure(1_000);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const { partitions, results } of rows)
      results.push(new Objects(mkdtempSync(join(folder, "queue-")), partitions).measure(Number(values.runs)));
  }
  const of = (results: Busy[], figure: keyof Busy): number => median(results.map((busy) => busy[figure]));
  const first = rows[0]?.results as Busy[];
  const shown = (results: Busy[], figure: keyof Busy): string => {
    const [own, beside] = [of(results, figure), of(first, figure)];
    return `${own.toFixed(1).padStart(8)} ×${(own / beside).toFixed(2)}`.padEnd(20);
  };
  console.log(
    "\nPartitions of one queue: microseconds that an object is busy for each of its runs (the objects' code in plain Node)",
  );
  console.log(
    `${"".padEnd(16)}${"busiest, trigger".padEnd(20)}${"busiest, drain".padEnd(20)}environment's object`,
  );
  for (const { partitions, results } of rows) {
    const figures = (["trigger", "drain", "environment"] as const).map((figure) => shown(results, figure));
    console.log(`${String(partitions).padEnd(16)}${figures.join("")}`.trimEnd());
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
