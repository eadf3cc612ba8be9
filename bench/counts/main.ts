/**
 * What one run costs the platform, in events: HTTP requests, calls of objects, statements, transactions,
 * flushes, alarms and timers of the server, messages between the host and its runtimes, and how often each
 * process is woken. Counts hardly depend on the speed of the machine, except for how many runs of 32 clients
 * share one event. `node bench/counts/main.ts [--runs N] [--flushes]`
 *
 * `--flushes` counts with strace, which slows the server: only the flushes are meaningful then.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { countFlushes } from "../fsync.ts";
import { expected } from "../http-client.ts";
import { load } from "../load.ts";
import { untilQuiet } from "../quiet.ts";
import { deployProject, startAcmeServer } from "../systems/acme-process.ts";
import { childrenOf } from "../systems/process.ts";

type Counts = Record<string, number>;

const { values } = parseArgs({
  options: { flushes: { type: "boolean", default: false }, runs: { type: "string", default: "400" } },
});
const RUNS = Number(values.runs);
const CASES = [
  { clients: 1, runs: RUNS },
  { clients: 32, runs: 10 * RUNS },
] as const;
/** Events that occur less often per run than this are housekeeping. */
const SHOWN_FROM = 0.005;

/**
 * How often the threads of a process have gone to sleep since they started, which is how often they were
 * woken.
 */
function wakeUps(pid: number): number {
  let all = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    all += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return all;
}

const folder = mkdtempSync(join(tmpdir(), "acme-counts-"));
const hostFile = join(folder, "host-counts.json");
const server = await startAcmeServer(folder, { env: { BENCH_COUNTS: "1", BENCH_HOST_COUNTS: hostFile } });
try {
  deployProject(server, "bench/project");
  const { http, pids } = server;
  const processes = {
    serverPids: () => [pids().worker],
    workerPids: () => [pids().host, ...childrenOf(pids().host)],
  };
  const trigger = async (i: number) =>
    expected(await http.post("/api/v1/tasks/noop/trigger", JSON.stringify({ payload: { i } })), 200);

  const ofHost = async (): Promise<Counts> => {
    rmSync(hostFile, { force: true });
    process.kill(pids().host, "SIGUSR2");
    while (!existsSync(hostFile)) await sleep(5);
    return JSON.parse(readFileSync(hostFile, "utf8"));
  };
  const ofProcesses = (): Counts => ({
    "wake-ups of workerd": wakeUps(pids().worker),
    "wake-ups of the host": wakeUps(pids().host),
    "wake-ups of runtimes": childrenOf(pids().host).reduce((sum, pid) => sum + wakeUps(pid), 0),
  });
  const take = async (): Promise<Counts> => ({
    ...JSON.parse(expected(await http.get("/__counts"), 200)),
    ...(await ofHost()),
  });

  const counted: Counts[] = [];
  for (const { clients, runs } of CASES) {
    await load(clients, runs / 4, trigger);
    await untilQuiet([processes]);
    await take();
    const before = ofProcesses();
    await load(clients, runs, trigger);
    const woken = Object.entries(ofProcesses()).map(([what, n]) => [what, n - (before[what] ?? 0)] as const);
    await untilQuiet([processes]);
    const counts = { ...(await take()), ...Object.fromEntries(woken) };
    counted.push(Object.fromEntries(Object.entries(counts).map(([what, count]) => [what, count / runs])));
  }
  if (values.flushes) {
    const { perTrigger } = await countFlushes({
      serverPids: processes.serverPids,
      trigger: ({ i }) => trigger(i),
    });
    for (const [index, { flushes }] of perTrigger.entries())
      Object.assign(counted[index] ?? {}, { "flushes to disk": flushes });
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
