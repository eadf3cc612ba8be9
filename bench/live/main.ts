/**
 * Live subscriptions on a real server: how long a change takes from its commit to a callback, what 1,000 watchers of one
 * tag cost while runs go by, and what idle connections take.
 *
 *   node scripts/bootstrap.mjs bench/live/main.ts [--watchers 1000] [--rate 200] [--seconds 10] [--idle 10000]
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { auth, runs, tasks } from "@acme/sdk";
import { LIVE_SUBPROTOCOL, LIVE_TOKEN_SUBPROTOCOL } from "@acme/sdk/contract/live";
import { LiveClient, type LiveRun } from "@acme/sdk/live";
import { deployTaskFile } from "../../tests/support/deploy-task.ts";
import { eventually } from "../../tests/support/eventually.ts";
import { startLocalServer } from "../../tests/support/local-server.ts";

const { values } = parseArgs({
  options: {
    watchers: { type: "string", default: "1000" },
    rate: { type: "string", default: "200" },
    seconds: { type: "string", default: "10" },
    idle: { type: "string", default: "10000" },
  },
});
const watchers = Number(values.watchers);
const rate = Number(values.rate);
const seconds = Number(values.seconds);
const idle = Number(values.idle);

const TASK = `
import { task } from "@acme/sdk";
export const noop = task({ id: "noop", run: async () => {} });
`;

const server = await startLocalServer({ executor: "process", example: false, env: { ACME_LOG: "error" } });
const connection = { baseURL: server.apiUrl, accessToken: server.secretKey };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const worker = () => server.pids().worker;
/** Seconds of CPU that the Worker's process has taken. */
const cpu = (): number => {
  const fields = readFileSync(`/proc/${worker()}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const rss = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${worker()}/status`, "utf8"))?.[1]) / 1024;
const quantile = (sorted: number[], q: number): number =>
  sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;

async function load(tag: string, perSecond: number, forSeconds: number): Promise<string[]> {
  const ids: string[] = [];
  const began = performance.now();
  const pending: Promise<void>[] = [];
  for (let n = 0; n < perSecond * forSeconds; n++) {
    const due = began + (n * 1_000) / perSecond;
    if (due > performance.now()) await sleep(due - performance.now());
    pending.push(
      tasks.trigger("noop", {}, { tags: [tag] }).then(({ id }) => {
        ids.push(id);
      }),
    );
  }
  await Promise.all(pending);
  return ids;
}

const finished = (tag: string, ids: string[]) =>
  eventually(
    "all runs are over",
    async () =>
      (await runs.list({ tag, status: ["QUEUED", "DEQUEUED", "EXECUTING"], limit: 1 })).data.length === 0 &&
      ids.length > 0,
    120_000,
  );

await auth.withAuth(connection, async () => {
  await deployTaskFile(server, TASK);
  await finished("warm", await load("warm", 20, 2));

  // From the commit (the row's time of change, in milliseconds of the same clock) to the callback.
  const one = new LiveClient(connection);
  const delays: number[] = [];
  const seen = new Map<string, number>();
  one.runs({ filter: { tags: ["latency"] }, limit: 1_000 }, ({ runs: list }) => {
    const now = Date.now();
    for (const run of list) {
      if (seen.get(run.id) === run.position) continue;
      seen.set(run.id, run.position);
      delays.push(now - Date.parse(run.updatedAt));
    }
  });
  await eventually("it is open", () => one.status === "open");
  await sleep(500);
  await finished("latency", await load("latency", 20, 15));
  await sleep(1_000);
  one.close();
  delays.sort((a, b) => a - b);
  console.log(
    `commit → callback, 20 runs/s, ${delays.length} states: p50 ${quantile(delays, 0.5)} ms, p99 ${quantile(delays, 0.99)} ms, max ${delays.at(-1)} ms`,
  );

  for (const count of [0, watchers]) {
    const tag = `load-${count}`;
    const clients = Array.from({ length: count }, () => new LiveClient(connection));
    const states = clients.map((): LiveRun[] => []);
    for (const [index, client] of clients.entries())
      client.runs({ filter: { tags: [tag] }, limit: 100 }, ({ runs: list }) => {
        states[index] = list;
      });
    await eventually("all are open", () => clients.every(({ status }) => status === "open"), 120_000);
    await sleep(3_000);
    const [cpuBefore, rssBefore, began] = [cpu(), rss(), performance.now()];
    const ids = await load(tag, rate, seconds);
    await finished(tag, ids);
    const elapsed = (performance.now() - began) / 1_000;
    const newest = (await runs.list({ tag, limit: 100 })).data;
    let right = 0;
    await eventually(
      "all watchers have the last state",
      () => {
        right = states.filter(
          (list) =>
            list.length === newest.length &&
            list.every((run, i) => run.id === newest[i]?.id && run.isCompleted),
        ).length;
        return right === count;
      },
      60_000,
    ).catch(() => {});
    console.log(
      `${count} watchers, ${ids.length} runs at ${rate}/s: ${elapsed.toFixed(1)} s, Worker's CPU ${(cpu() - cpuBefore).toFixed(1)} s, memory ${rssBefore.toFixed(0)} → ${rss().toFixed(0)} MB, watchers with the right last state: ${right}`,
    );
    for (const client of clients) client.close();
    await sleep(2_000);
  }

  const before = rss();
  const url = `${server.apiUrl.replace("http", "ws")}/api/v1/live`;
  const sockets: WebSocket[] = [];
  let opened = 0;
  for (let n = 0; n < idle; n++) {
    const socket = new WebSocket(url, [LIVE_SUBPROTOCOL, LIVE_TOKEN_SUBPROTOCOL + server.secretKey]);
    socket.onopen = () => {
      opened += 1;
      socket.send(
        JSON.stringify({ type: "subscribe", id: "1", target: { kind: "runs", filter: { tags: ["idle"] } } }),
      );
    };
    sockets.push(socket);
    if (n % 200 === 199) await eventually("these are open", () => opened >= n - 100, 60_000);
  }
  await eventually("all are open", () => opened === idle, 120_000).catch(() => {});
  const full = rss();
  // Objects that have nothing to do are put to sleep after 10 s.
  await sleep(20_000);
  const cpuIdle = cpu();
  await sleep(10_000);
  console.log(
    `${opened} of ${idle} idle sockets: memory ${before.toFixed(0)} → ${full.toFixed(0)} MB (asleep ${rss().toFixed(0)} MB), ${(((full - before) * 1024) / Math.max(1, opened)).toFixed(1)} KB each, CPU in 10 s: ${(cpu() - cpuIdle).toFixed(2)} s`,
  );
  let heard = 0;
  for (const socket of sockets) socket.onmessage = () => (heard += 1);
  const woken = performance.now();
  await tasks.trigger("noop", {}, { tags: ["idle"] });
  await eventually("all hear of a run", () => heard >= opened, 120_000).catch(() => {});
  console.log(
    `a run after that reached ${Math.min(heard, opened)} of them within ${(performance.now() - woken).toFixed(0)} ms`,
  );
  for (const socket of sockets) socket.close();
});
process.exit(await server.stop());
