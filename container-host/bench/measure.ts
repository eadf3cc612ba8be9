/**
 * Measures a container host against a scripted server, without the real server's cost:
 * `node container-host/bench/measure.ts [process|docker] [RUNS]`. Prints cold start, warm start and no-op runs/s.
 * The host is a process of its own; the scripted server, in this one, shares the machine with it.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { projectBundle } from "../test/support/bundle.ts";
import { HOST_TOKEN, ScriptedServer } from "../test/support/scripted-server.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const executor = process.argv[2] ?? "process";
const runs = Number(process.argv[3] ?? 10_000);
const SAMPLES = executor === "docker" ? 8 : 20;

const server = await new ScriptedServer().listen();
server.validate = false;
const bundle = await projectBundle();
const folder = mkdtempSync(join(tmpdir(), "acme-measure-"));
const host = spawn(
  process.execPath,
  [
    ...(process.env.NODE_PROF ? ["--cpu-prof", "--cpu-prof-dir=/tmp/prof"] : []),
    MAIN,
    "--data",
    folder,
    "--executor",
    executor,
    "--spares",
    "0",
  ],
  {
    env: { ...process.env, ACME_API_URL: server.url, ACME_HOST_TOKEN: HOST_TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  },
);
const ready = await new Promise<{ metricsUrl: string }>((resolve, reject) => {
  createInterface({ input: host.stdout }).once("line", (line) => resolve(JSON.parse(line)));
  host.once("exit", (code) => reject(new Error(`The host ended with ${code}`)));
});

const quantile = (values: number[], q: number): string => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] as number).toFixed(1);
};
const show = (what: string, values: number[]): void =>
  console.log(
    `${what}: p50 ${quantile(values, 0.5)} ms, p99 ${quantile(values, 0.99)} ms (${values.length})`,
  );

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

/** CPU seconds of the runtimes that live. */
const runtimesCpu = (): number =>
  execFileSync("ps", ["-o", "pid=", "--ppid", String(host.pid)], { encoding: "utf8" })
    .trim()
    .split(/\s+/)
    .reduce((sum, pid) => {
      try {
        return sum + cpuSeconds(Number(pid));
      } catch {
        return sum;
      }
    }, 0);

const cold: number[] = [];
for (let n = 0; n < SAMPLES; n++) {
  // Another environment each time: none is warm for it.
  server.deploy(bundle, { id: `cold_${n}` });
  const begun = Date.now();
  const run = server.trigger("started-at", { environment: `cold${String(n).padStart(4, "0")}` });
  cold.push((await server.outputOf<number>(run)) - begun);
}
show(`cold start, ${executor}: run handed out → task function`, cold);

const warm: number[] = [];
const roundTrip: number[] = [];
const id = server.deploy(bundle);
await server.outcomeOf(server.trigger("started-at", { deploymentId: id }));
for (let n = 0; n < 500; n++) {
  const begun = performance.now();
  const at = Date.now() + (performance.now() % 1);
  const run = server.trigger("started-at", { deploymentId: id });
  warm.push((await server.outputOf<number>(run)) - at + 1);
  roundTrip.push(performance.now() - begun);
}
show("warm start: run handed out → task function (clock of 1 ms)", warm);
show("warm: run handed out → outcome reported", roundTrip);

for (let round = 1; round <= 3; round++) {
  const list = Array.from({ length: runs }, () => server.run("noop", { deploymentId: id }));
  const calls = new Map(server.requests);
  const before = {
    completed: server.completed.length,
    host: cpuSeconds(host.pid as number),
    runtimes: runtimesCpu(),
  };
  const begun = performance.now();
  server.give(...list);
  await server.until("all no-op runs", () => server.completed.length >= before.completed + runs, 120_000);
  const seconds = (performance.now() - begun) / 1_000;
  const since = (name: string): number =>
    (server.requests.get(`/engine/v1/worker-actions/${name}`) ?? 0) -
    (calls.get(`/engine/v1/worker-actions/${name}`) ?? 0);
  const perRun = (cpu: number): string => `${((cpu / runs) * 1e6).toFixed(0)} µs`;
  const metrics = await (await fetch(`${ready.metricsUrl}/metrics`)).text();
  const processes = /^acme_host_runtimes (\d+)/m.exec(metrics)?.[1];
  console.log(
    `no-op runs, round ${round}: ${Math.round(runs / seconds)}/s (${runs} in ${seconds.toFixed(2)} s; ${since("dequeue")} polls, ${since("report")} reports, ${processes} runtimes, CPU a run: host ${perRun(cpuSeconds(host.pid as number) - before.host)}, runtimes ${perRun(runtimesCpu() - before.runtimes)})`,
  );
}

host.removeAllListeners("exit");
host.kill("SIGTERM");
await new Promise((resolve) => host.once("exit", resolve));
await server.close();
rmSync(folder, { recursive: true, force: true });
