import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Marks } from "../marks.ts";
import type { Metric } from "../metrics/metric.ts";
import { untilQuiet } from "../quiet.ts";
import { startAcme } from "../systems/acme.ts";
import { freePort } from "../systems/free-port.ts";
import { type CpuProfile, profiled } from "./inspector.ts";
import { summarize, summaryText } from "./summary.ts";

/**
 * Runs one round of each metric on Acme with V8's CPU profiler attached to workerd (its `--inspector-addr`) and to the
 * container host (Node's `--inspect`), writes the profiles (for Chrome's DevTools) and prints where the time went.
 *
 * "(program)" is native code: HTTP, SQLite and flushes. `perf record -g -p PID` sees into it: workerd has
 * symbols and frame pointers. The profiler itself costs time: do not use figures from a profiled round.
 * @param folder where the server keeps its data
 * @param results where the profiles are written
 */
export async function profileAcme(
  metrics: readonly Metric[],
  marks: Marks,
  folder: string,
  results: string,
): Promise<void> {
  const ports = { workerd: await freePort(), host: await freePort() };
  const system = await startAcme(folder, { inspectors: ports });
  try {
    mkdirSync(results, { recursive: true });
    for (const metric of metrics) {
      await (metric.warmUp ?? metric.round)(system, marks, metric.runs);
      await untilQuiet([system]);
      marks.clear();
      let host: CpuProfile | undefined;
      const worker = await profiled(ports.workerd, async () => {
        host = await profiled(ports.host, () => metric.round(system, marks, metric.runs));
      });
      show(metric, "workerd", worker, join(folder, "generated/worker.mjs"));
      if (host) show(metric, "host", host);
    }
  } finally {
    await system.stop();
  }

  function show(metric: Metric, part: string, profile: CpuProfile, bundle?: string): void {
    const file = join(results, `${metric.id}-${part}.cpuprofile`);
    writeFileSync(file, JSON.stringify(profile));
    console.log(`\n${metric.title}: ${part}  (${file})\n${summaryText(summarize(profile, bundle))}`);
  }
}
