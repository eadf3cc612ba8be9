/**
 * What several workerd processes do for a server with several environments, beside one process:
 * `npm run bench:processes`. Both servers run at the same time and are called in turn (A B B A), so that fluctuations of the
 * machine affect both alike. On a machine with few or busy cores the figure to trust is the CPU time of each process for a
 * request: the fullest process limits how many requests a machine with a core for each can serve.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildProject, deployProject, projectApi } from "@acme/cli";
import { expected, HttpClient } from "../http-client.ts";
import { load } from "../load.ts";
import { median, p50p99 } from "../statistics.ts";
import { type AcmeServer, startAcmeServer } from "../systems/acme-process.ts";
import { cpuMs } from "../systems/process.ts";

const USAGE = `npm run bench:processes -- [options]
  --processes N      processes of the second server, 2 to 16 (default 2)
  --environments N   environments that are called, spread over the processes, 1 to 64 (default 8)
  --clients N        requests in flight, 1 to 256 (default 32)
  --requests N       requests of a round, 100 to 100000 (default 4000)
  --rounds N         rounds of each server, 1 to 99 (default 7)
  --pin              each process on a core of its own, the client on the last one`;

const PROJECT = fileURLToPath(new URL("../project", import.meta.url));

/** What a request does: creates a run that is not executed meanwhile, or waits for the end of one. */
const KINDS = {
  trigger: { path: "/api/v1/tasks/noop/trigger", body: { payload: "{}", options: { delay: "1h" } }, part: 1 },
  "run to its end": { path: "/api/v1/tasks/noop/trigger?wait=60", body: { payload: "{}" }, part: 0.25 },
};
type Kind = keyof typeof KINDS;

interface Server {
  name: string;
  server: AcmeServer;
  clients: HttpClient[];
}

interface Round {
  perSecond: number;
  p50: number;
  p99: number;
  /** CPU time of all workerd processes for a request. */
  cpu: number;
  /** The first one, which also has what belongs to no environment. */
  first: number;
  /** The fullest of the others. */
  other: number;
  /** CPU time of the client, which shares the cores. */
  client: number;
}

const workersOf = ({ pids }: AcmeServer): number[] =>
  Object.entries(pids())
    .filter(([name]) => name.startsWith("worker"))
    .map(([, pid]) => pid);

async function start(folder: string, processes: number, environments: number): Promise<Server> {
  const server = await startAcmeServer(folder, { env: { BENCH_PROCESSES: String(processes) } });
  const { adminToken } = JSON.parse(readFileSync(join(folder, "secrets.json"), "utf8")) as {
    adminToken: string;
  };
  const admin = new HttpClient(server.access.apiUrl, { authorization: `Bearer ${adminToken}` });
  const built = await buildProject(PROJECT);
  const clients: HttpClient[] = [];
  for (let n = 0; n < environments; n++) {
    const name = `bench${n}`;
    const secretKey = `tr_prod_sk_${name.padEnd(24, "0")}`;
    const accessToken = `tr_pat_${name.padEnd(24, "0")}`;
    const project = { ref: `proj_${name}`, name };
    const body = {
      organization: { slug: name, name },
      project,
      secretKeys: { prod: secretKey },
      accessToken,
    };
    expected(await admin.post("/admin/v1/bootstrap", JSON.stringify(body)), 200);
    const access = { ...server.access, accessToken, secretKey, projectRef: project.ref };
    await deployProject(projectApi(access, project.ref, "prod"), built, true);
    clients.push(new HttpClient(server.access.apiUrl, { authorization: `Bearer ${secretKey}` }));
  }
  await admin.close();
  return { name: `${processes} ${processes === 1 ? "process" : "processes"}`, server, clients };
}

async function round(
  { server, clients }: Server,
  kind: Kind,
  inFlight: number,
  requests: number,
): Promise<Round> {
  const { path, body } = KINDS[kind];
  const text = JSON.stringify(body);
  const workers = workersOf(server);
  const before = workers.map((pid) => cpuMs([pid]));
  const own = cpuMs([process.pid]);
  const { latencies, elapsedMs } = await load(inFlight, requests, async (n) =>
    expected(await clients[n % clients.length]!.post(path, text), 200),
  );
  const spent = workers.map((pid, index) => (cpuMs([pid]) - before[index]!) / requests);
  const { p50, p99 } = p50p99(latencies);
  return {
    perSecond: (requests / elapsedMs) * 1000,
    p50: p50 as number,
    p99: p99 as number,
    cpu: spent.reduce((sum, each) => sum + each, 0),
    first: spent[0]!,
    other: Math.max(0, ...spent.slice(1)),
    client: (cpuMs([process.pid]) - own) / requests,
  };
}

const show = (rounds: Round[], of: keyof Round, digits: number): string => {
  const values = rounds.map((each) => each[of]).sort((a, b) => a - b);
  return `${median(values).toFixed(digits)} (${values[0]?.toFixed(digits)}–${values.at(-1)?.toFixed(digits)})`;
};

function pin(server: AcmeServer): void {
  const cores = cpus().length;
  for (const [index, pid] of workersOf(server).entries())
    spawnSync("taskset", ["-acp", String(index % cores), String(pid)]);
  spawnSync("taskset", ["-acp", String(cores - 1), String(process.pid)]);
}

const { values } = parseArgs({
  options: {
    processes: { type: "string", default: "2" },
    environments: { type: "string", default: "8" },
    clients: { type: "string", default: "32" },
    requests: { type: "string", default: "4000" },
    rounds: { type: "string", default: "7" },
    pin: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const [processes, environments, clients, requests, rounds] = [
  values.processes,
  values.environments,
  values.clients,
  values.requests,
  values.rounds,
].map(Number) as [number, number, number, number, number];
const within = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;
const areValid =
  within(processes, 2, 16) &&
  within(environments, 1, 64) &&
  within(clients, 1, 256) &&
  within(requests, 100, 100_000) &&
  within(rounds, 1, 99);

if (values.help || !areValid) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 1;
} else {
  const folder = mkdtempSync(join(tmpdir(), "acme-bench-processes-"));
  const servers: Server[] = [];
  try {
    for (const count of [1, processes])
      servers.push(await start(join(folder, `${count}`), count, environments));
    if (values.pin) for (const { server } of servers) pin(server);
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const each = Math.max(100, Math.round(requests * KINDS[kind].part));
      const results = new Map<string, Round[]>(servers.map(({ name }) => [name, []]));
      for (const server of servers) await round(server, kind, clients, each);
      for (let n = 0; n < rounds; n++)
        for (const server of n % 2 === 0 ? servers : servers.toReversed())
          results.get(server.name)?.push(await round(server, kind, clients, each));
      for (const [name, all] of results)
        console.log(
          `${kind}, ${name}: ${show(all, "perSecond", 0)}/s, p50 ${show(all, "p50", 1)} ms, p99 ${show(all, "p99", 1)} ms; ` +
            `CPU a request: all ${show(all, "cpu", 3)} ms, the first process ${show(all, "first", 3)} ms, the fullest other ${show(all, "other", 3)} ms, client ${show(all, "client", 3)} ms`,
        );
    }
  } finally {
    for (const { server, clients } of servers) {
      await Promise.all(clients.map((client) => client.close()));
      await server.stop();
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
