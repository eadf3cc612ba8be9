/**
 * A batch of many items with payloads, on the real one-machine server:
 * `node bench/batches/main.ts [--items 10000] [--bytes 10240] [--limit 10]`. Prints how long it takes until
 * the batch is accepted and until all runs have ended, workerd's memory meanwhile, whether each item has one
 * run and one result, and how many runs of its queue (limit 10) executed at once.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { batch } from "@acme/sdk";
import { deployTaskFile } from "../../tests/support/deploy-task.ts";
import { expected } from "../http-client.ts";
import { load } from "../load.ts";
import { startAcmeServer } from "../systems/acme-process.ts";
import { cpuMs } from "../systems/process.ts";

const { values } = parseArgs({
  options: {
    items: { type: "string", default: "10000" },
    bytes: { type: "string", default: "10240" },
    limit: { type: "string", default: "10" },
  },
});
const count = Number(values.items);
const limit = Number(values.limit);
const payload = "x".repeat(Number(values.bytes));

const folder = mkdtempSync(join(tmpdir(), "acme-bench-batches-"));
const server = await startAcmeServer(folder);
try {
  const { access, http } = server;
  await deployTaskFile(
    access,
    `import { task } from "@acme/sdk";
     export const t = task({ id: "item", queue: { concurrencyLimit: ${limit} }, run: async ({ index }: { index: number }) => index });`,
  );
  const get = async <T>(path: string): Promise<T> => JSON.parse(expected(await http.get(path), 200)) as T;
  const { worker } = server.pids();
  const memory = [rssMb(worker)];
  const sample = setInterval(() => memory.push(rssMb(worker)), 100);

  const started = performance.now();
  const cpuBefore = cpuMs([worker]);
  /** Wall clock, CPU time of workerd, and its memory since the last call: the machine may be busy with other things. */
  const since = (): string => {
    const wall = ((performance.now() - started) / 1_000).toFixed(2);
    const cpu = ((cpuMs([worker]) - cpuBefore) / 1_000).toFixed(2);
    const [first, most, last] = [memory[0], Math.max(...memory), memory.at(-1)];
    memory.splice(0, memory.length - 1);
    return `${wall} s (workerd: ${cpu} s of CPU; memory ${first} MB → at most ${most} MB → ${last} MB)`;
  };
  const handle = await batch.trigger(
    Array.from({ length: count }, (_, index) => ({ id: "item", payload: { index, payload } })),
    {},
    { clientConfig: { baseURL: access.apiUrl, accessToken: access.secretKey } },
  );
  console.log(`${count} items of ${payload.length} bytes accepted in ${since()}`);
  interface Progress {
    status: string;
    completedCount: number;
    runs: string[];
    processing: { completedAt?: string; errors: unknown[] };
  }
  let progress: Progress;
  for (let said = ""; ; ) {
    progress = await get<Progress>(`/api/v2/batches/${handle.batchId}`);
    const all = progress.processing.completedAt === undefined ? "" : "all runs created";
    if (all !== said) console.log(`${all} after ${since()}, ${progress.completedCount} of them over`);
    said = all;
    if (progress.status !== "PENDING" && progress.status !== "PROCESSING") break;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  console.log(`${progress.status} after ${since()}, completedCount ${progress.completedCount}`);
  clearInterval(sample);

  const { items } = await get<{ items: { index: number; ok: boolean; output?: string }[] }>(
    `/api/v1/batches/${handle.batchId}/results`,
  );
  const right = items.filter(({ index, ok, output }, n) => index === n && ok && output === String(n)).length;
  if (right !== count)
    console.log(items.length, JSON.stringify(items.slice(95, 105)), JSON.stringify(items.slice(-3)));
  console.log(`results in order: ${right} of ${count}; distinct runs: ${new Set(progress.runs).size}`);

  const attempts: { at: number; change: number }[] = [];
  await load(16, count, async (n) => {
    const run = await get<{ attempts: { startedAt: string; completedAt: string }[] }>(
      `/api/v1/runs/${progress.runs[n]}/attempts`,
    );
    for (const { startedAt, completedAt } of run.attempts) {
      attempts.push({ at: Date.parse(startedAt), change: 1 }, { at: Date.parse(completedAt), change: -1 });
    }
  });
  attempts.sort((a, b) => a.at - b.at || a.change - b.change);
  let executing = 0;
  let most = 0;
  for (const { change } of attempts) {
    executing += change;
    most = Math.max(most, executing);
  }
  console.log(`attempts: ${attempts.length / 2}, at most ${most} at once (limit ${limit})`);
  if (right !== count || most > limit || progress.completedCount !== count) process.exitCode = 1;
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

function rssMb(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return Math.round((pages * 4_096) / 1_048_576);
}
