/**
 * What a trigger with a secret key costs the server, beside an earlier version of it:
 * `npm run bench:keys -- --baseline DIR`. Both servers run at the same time and are called in turn (A B A B),
 * so that fluctuations of the machine affect both alike. The figure to trust on a busy machine is the CPU
 * time of workerd for each trigger. The runs are delayed: nothing is executed meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { expected } from "../http-client.ts";
import { load } from "../load.ts";
import { median, p50p99 } from "../statistics.ts";
import { type AcmeServer, deployProject, startAcmeServer } from "../systems/acme-process.ts";
import { cpuMs } from "../systems/process.ts";

const USAGE = `npm run bench:keys -- [options]
  --baseline DIR   another checkout, with its dependencies installed, to compare with
  --rounds N       rounds of each server, 1 to 99 (default 9)
  --triggers N     triggers of a round, 100 to 100000 (default 2000)`;

interface Round {
  cpuMs: number;
  p50: number;
}

async function round({ http, pids }: AcmeServer, triggers: number): Promise<Round> {
  const body = JSON.stringify({ payload: "{}", options: { delay: "1h" } });
  const before = cpuMs([pids().worker]);
  const { latencies } = await load(16, triggers, async () =>
    expected(await http.post("/api/v1/tasks/noop/trigger", body), 200),
  );
  return { cpuMs: (cpuMs([pids().worker]) - before) / triggers, p50: p50p99(latencies).p50 as number };
}

const show = (rounds: Round[], of: keyof Round): string => {
  const values = rounds.map((each) => each[of]).sort((a, b) => a - b);
  return `${median(values).toFixed(3)} (${values[0]?.toFixed(3)}–${values.at(-1)?.toFixed(3)})`;
};

async function main(baseline: string | undefined, rounds: number, triggers: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "acme-bench-keys-"));
  const servers = new Map<string, AcmeServer>();
  const results = new Map<string, Round[]>();
  try {
    servers.set("this checkout", await startAcmeServer(join(folder, "here")));
    if (baseline)
      servers.set("baseline", await startAcmeServer(join(folder, "base"), { root: resolve(baseline) }));
    for (const [name, server] of servers) {
      deployProject(server, "bench/project");
      results.set(name, []);
      await round(server, triggers);
    }
    for (let n = 0; n < rounds; n++)
      for (const [name, server] of servers) results.get(name)?.push(await round(server, triggers));
  } finally {
    for (const server of servers.values()) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  for (const [name, each] of results)
    console.log(`${name}: CPU of workerd a trigger ${show(each, "cpuMs")} ms, p50 ${show(each, "p50")} ms`);
  const [here, base] = [...results.values()];
  if (!here || !base) return;
  const ratio = (of: keyof Round) =>
    (median(here.map((each) => each[of])) / median(base.map((each) => each[of]))).toFixed(3);
  console.log(
    `this checkout / baseline: CPU ${ratio("cpuMs")}, p50 ${ratio("p50")} (below 1: faster than it was)`,
  );
}

const { values } = parseArgs({
  options: {
    baseline: { type: "string" },
    rounds: { type: "string", default: "9" },
    triggers: { type: "string", default: "2000" },
    help: { type: "boolean", default: false },
  },
});
const [rounds, triggers] = [Number(values.rounds), Number(values.triggers)];
const areValid =
  Number.isInteger(rounds) &&
  rounds >= 1 &&
  rounds <= 99 &&
  Number.isInteger(triggers) &&
  triggers >= 100 &&
  triggers <= 100_000;
if (values.help || !areValid) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 1;
} else await main(values.baseline, rounds, triggers);
