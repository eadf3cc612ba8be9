/**
 * Live subscriptions on a real server, with a host that executes nothing: how long a change takes from its
 * commit to a callback, what watchers of one tag cost while runs are executed, and what idle connections
 * take.
 *
 *   node scripts/bootstrap.mjs bench/live/main.ts [--phase latency|watchers|idle]… [--watchers 1000] [--rate 200]
 *     [--seconds 10] [--rounds 2] [--idle 10000] [--sockets N]
 *
 * `--sockets`: how many connections the server accepts, instead of the number derived from its limit of open
 * files.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { LiveClient } from "@acme/sdk/live";
import { eventually } from "../../tests/support/eventually.ts";
import { profiled } from "../profile/inspector.ts";
import { freePort } from "../systems/free-port.ts";
import { cpuMs, TICK_MS } from "../systems/process.ts";
import { Crowd } from "./crowd.ts";
import { objectShares } from "./object-shares.ts";
import { Setting } from "./setting.ts";

const { values } = parseArgs({
  options: {
    phase: { type: "string", multiple: true },
    watchers: { type: "string", default: "1000" },
    rate: { type: "string", default: "200" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "2" },
    idle: { type: "string", default: "10000" },
    sockets: { type: "string" },
  },
});
const wanted = (phase: string): boolean => !values.phase || values.phase.includes(phase);
const rate = Number(values.rate);
const seconds = Number(values.seconds);
/** Runs of a list, as a page shows them. */
const LIMIT = 100;

const inspector = await freePort();
const setting = await Setting.start({
  BENCH_WORKERD_INSPECTOR: String(inspector),
  ...(values.sockets ? { BENCH_SOCKETS: values.sockets } : {}),
});
const { server, host, place, url, worker, folder, quiet } = setting;
const memory = () => setting.memory();
/** Milliseconds of CPU time that workerd has spent in the kernel. */
const systemMs = (): number => {
  const stat = readFileSync(`/proc/${worker}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[12]) * TICK_MS;
};
const quantile = (sorted: number[], q: number): number =>
  sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;

/** From the commit (the row's time of change, in milliseconds of the same clock) to the callback. */
async function latency(): Promise<void> {
  const client = new LiveClient({ baseURL: server.access.apiUrl, accessToken: place.secretKey });
  const delays: number[] = [];
  const seen = new Map<string, number>();
  client.runs({ filter: { tags: ["latency"] }, limit: 1_000 }, ({ runs: list }) => {
    const now = Date.now();
    for (const run of list) {
      if (seen.get(run.id) === run.position) continue;
      seen.set(run.id, run.position);
      delays.push(now - Date.parse(run.updatedAt));
    }
  });
  await eventually("it is open", () => client.status === "open");
  await sleep(500);
  await setting.runs("latency", 20, 15);
  await sleep(1_000);
  client.close();
  delays.sort((a, b) => a - b);
  console.log(
    `commit → callback, 20 runs/s, ${delays.length} states: p50 ${quantile(delays, 0.5)} ms, p99 ${quantile(delays, 0.99)} ms, max ${delays.at(-1)} ms`,
  );
}

async function watched(count: number, round: number): Promise<void> {
  const tag = `load-${count}-${round}`;
  const crowd = new Crowd(Math.min(4, Math.max(1, Math.ceil(count / 250))));
  const target = { kind: "runs", filter: { tags: [tag] }, limit: LIMIT };
  const { opened, failures } = await crowd.open(count, { url, token: place.secretKey, target });
  if (opened < count) console.log(failures);
  await sleep(2_000);
  await quiet();
  const before = { cpu: cpuMs([worker]), system: systemMs(), rss: memory(), crowd: await crowd.report() };
  const began = performance.now();
  let elapsed = 0;
  const profile = await profiled(inspector, async () => {
    await setting.runs(tag, rate, seconds);
    elapsed = (performance.now() - began) / 1_000;
    await quiet();
  });
  const after = { cpu: cpuMs([worker]), system: systemMs(), rss: memory(), crowd: await crowd.report() };
  const newest = (await place.listRuns(tag, LIMIT)).map(({ id, isCompleted }) => `${id} ${isCompleted}`);
  let right = 0;
  await eventually(
    "all have the last state",
    async () => {
      right = Object.entries(await crowd.states())
        .filter(([state]) => state.split("\n").slice(0, LIMIT).join("\n") === newest.join("\n"))
        .reduce((sum, [, watchers]) => sum + watchers, 0);
      return right === count;
    },
    30_000,
  ).catch(() => {});
  const settledIn = (performance.now() - began) / 1_000;
  const messages = after.crowd.messages - before.crowd.messages;
  const megabytes = (after.crowd.bytes - before.crowd.bytes) / 1_048_576;
  const total = rate * seconds;
  // A sample lasts longer where other programs use the cores, so shares of the CPU time say more than times.
  const sampled = Object.entries(objectShares(profile, join(folder, "generated/worker.mjs")));
  const all = sampled.reduce((sum, [, ms]) => sum + ms, 0);
  const cpu = after.cpu - before.cpu;
  const shares = sampled
    .sort(([, a], [, b]) => b - a)
    .map(([owner, ms]) => `${owner} ${(((ms / all) * cpu * 1_000) / total).toFixed(0)} µs`);
  console.log(
    [
      `${count} watchers, ${total} runs at ${rate}/s: over in ${elapsed.toFixed(1)} s; right last state: ${right} of ${count}, checked after ${settledIn.toFixed(1)} s`,
      `  workerd: CPU ${(cpu / 1_000).toFixed(2)} s (${((after.system - before.system) / 1_000).toFixed(2)} s of it in the kernel), memory ${before.rss.toFixed(0)} → ${after.rss.toFixed(0)} MB; of which each run: ${shares.join(", ")}`,
      `  clients: CPU ${((after.crowd.cpuMs - before.crowd.cpuMs) / 1_000).toFixed(2)} s, ${messages} messages, ${megabytes.toFixed(0)} MB`,
    ].join("\n"),
  );
  await crowd.close();
  crowd.end();
  await quiet();
}

async function idle(count: number): Promise<void> {
  const before = memory();
  const descriptors = () => readdirSync(`/proc/${worker}/fd`).length;
  const descriptorsBefore = descriptors();
  // Each process has its own limit of open files.
  const crowd = new Crowd(2);
  const target = { kind: "runs", filter: { tags: ["idle"] } };
  const began = performance.now();
  const { opened, failures } = await crowd.open(count, { url, token: place.secretKey, target, atOnce: 32 });
  const took = performance.now() - began;
  if (opened < count) console.log(failures);
  await eventually(
    "all have their first state",
    async () => (await crowd.report()).answered >= opened,
    60_000,
  );
  const full = memory();
  // workerd evicts idle objects after 10 s.
  await sleep(20_000);
  const cpuBefore = cpuMs([worker]);
  await sleep(10_000);
  const { open, messages } = await crowd.report();
  console.log(
    `${open} of ${count} idle sockets held, opened in ${(took / 1_000).toFixed(1)} s: memory ${before.toFixed(0)} → ${full.toFixed(0)} MB (asleep ${memory().toFixed(0)} MB), ${(((full - before) * 1_024) / Math.max(1, opened)).toFixed(1)} KB each, file descriptors ${descriptorsBefore} → ${descriptors()} of ${/open files\s+(\d+)/.exec(readFileSync(`/proc/${worker}/limits`, "utf8"))?.[1]}, CPU in 10 s: ${((cpuMs([worker]) - cpuBefore) / 1_000).toFixed(2)} s`,
  );
  const woken = performance.now();
  const working = host.work(1);
  const answer = await place.tryTrigger({ tags: ["idle"] });
  const triggered = performance.now() - woken;
  let heard = 0;
  await eventually(
    "all hear of a run",
    async () => {
      heard = (await crowd.report()).messages - messages;
      return heard >= open;
    },
    60_000,
  ).catch(() => {});
  console.log(
    `a trigger then answers ${answer.status} after ${triggered.toFixed(0)} ms (${answer.body.slice(0, 200)}), and its run has reached all ${open} (${heard} messages) after ${(performance.now() - woken).toFixed(0)} ms`,
  );
  await working;
  await crowd.close();
  crowd.end();
}

try {
  await setting.runs("warm", 50, 4);
  if (wanted("latency")) await latency();
  if (wanted("watchers"))
    for (let round = 1; round <= Number(values.rounds); round++)
      for (const count of [0, 1, Number(values.watchers)]) await watched(count, round);
  if (wanted("idle")) await idle(Number(values.idle));
} finally {
  await setting.stop();
}
process.exit();
