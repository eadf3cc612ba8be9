/**
 * What one run takes of the server, in events: HTTP requests, calls of objects, statements, transactions, alarms and timers. Counts
 * hardly depend on how fast the machine is; how many share one event with 32 clients does. `node bench/counts/main.ts`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expected } from "../http-client.ts";
import { load } from "../load.ts";
import { untilQuiet } from "../quiet.ts";
import { deployProject, startAcmeServer } from "../systems/acme-process.ts";
import { childrenOf } from "../systems/process.ts";

const CASES = [
  { clients: 1, runs: 400 },
  { clients: 32, runs: 4_000 },
] as const;
/** Fewer of them a run than this are housekeeping. */
const SHOWN_FROM = 0.005;

const folder = mkdtempSync(join(tmpdir(), "acme-counts-"));
const server = await startAcmeServer(folder, { env: { BENCH_COUNTS: "1" } });
try {
  deployProject(server, "bench/project");
  const { http, pids } = server;
  const processes = {
    serverPids: () => [pids().worker],
    workerPids: () => [pids().host, ...childrenOf(pids().host)],
  };
  const take = async () => JSON.parse(expected(await http.get("/__counts"), 200)) as Record<string, number>;
  const trigger = async (i: number) =>
    expected(await http.post("/api/v1/tasks/noop/trigger", JSON.stringify({ payload: { i } })), 200);
  const counted: Record<string, number>[] = [];
  for (const { clients, runs } of CASES) {
    await load(clients, runs / 4, trigger);
    await untilQuiet([processes]);
    await take();
    await load(clients, runs, trigger);
    await untilQuiet([processes]);
    const counts = await take();
    counted.push(Object.fromEntries(Object.entries(counts).map(([what, count]) => [what, count / runs])));
  }
  const names = [...new Set(counted.flatMap((counts) => Object.keys(counts)))]
    .filter((what) => !what.startsWith("characters"))
    .filter((what) => counted.some((counts) => (counts[what] ?? 0) >= SHOWN_FROM))
    .sort();
  console.log(
    `| for one run | ${CASES.map(({ clients }) => `${clients} client${clients > 1 ? "s" : ""}`).join(" | ")} |`,
  );
  console.log(`| --- | ${CASES.map(() => "---: |").join(" ")}`);
  for (const what of names)
    console.log(`| ${what} | ${counted.map((counts) => (counts[what] ?? 0).toFixed(2)).join(" | ")} |`);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
