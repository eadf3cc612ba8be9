/**
 * `node bench/live/hub/main.ts`: how long a LiveObject's own code is busy for a change, a message and an
 * acknowledgement, in plain Node without sockets. This is what bounds one object where each has a thread of
 * its own.
 */
import type { LiveInterest, LivePrincipal, RunRecord, RunRow } from "@acme/durable-objects/rpc";
import {
  type LiveSocket,
  type SavedConnection,
  WINDOW,
} from "../../../durable-objects/src/live/connection.ts";
import { LiveHub } from "../../../durable-objects/src/live/hub.ts";
import type { HubHost } from "../../../durable-objects/src/live/hub-host.ts";
import { Interest } from "../../../durable-objects/src/live/interest.ts";

const ENVIRONMENT = "env00001";
const QUEUE = `${ENVIRONMENT}queue00001`;
const LIFE = "bench";

const record = (n: number, version: number): RunRecord =>
  ({
    id: `run_${QUEUE}${String(n).padStart(17, "0")}`,
    environmentKey: ENVIRONMENT,
    task: "task",
    queue: "task/task",
    status: version % 2 ? "EXECUTING" : "COMPLETED_SUCCESSFULLY",
    version,
    tags: ["t"],
    createdAt: n,
    updatedAt: n,
    startedAt: n,
    completedAt: version % 2 ? null : n,
    machine: "small-1x",
    payload: '{"n":1}',
    payloadType: "application/json",
    output: null,
    outputType: null,
    metadata: null,
    metadataType: "application/json",
    error: null,
    attempts: 1,
    depth: 0,
    usageMs: 1,
    batchId: null,
    deploymentVersion: null,
  }) as unknown as RunRecord;

const principal: LivePrincipal = {
  environment: { key: ENVIRONMENT, id: "env_1", slug: "prod" },
  scopes: null,
  expiresAt: null,
  proof: "key",
};

let sent = 0;
class Socket implements LiveSocket {
  send(): void {
    sent += 1;
  }
  close(): void {}
  save(_state: SavedConnection): boolean {
    return true;
  }
}

/** Versions of the runs, with which their owner answers. */
const versions = new Map<string, number>();
const host: HubHost = {
  environmentKey: ENVIRONMENT,
  epoch: LIFE,
  now: Date.now,
  listRuns: async () => ({ runs: [], more: false }),
  // A summary as large as the Worker's.
  summaryOf: (run) => ({ ...run, taskIdentifier: run.task }) as never,
  listen: async (_queue: string, _interest: LiveInterest, ids: string[]) =>
    ids.map((id) => record(Number(id.slice(-17)), versions.get(id) ?? 1)),
  environment: async () => ({ counts: {}, concurrencyLimit: 1, burstFactor: 1, paused: false }),
  watchLogs: async (_run, after) => ({ previous: after, lines: [], more: false }),
  lastLine: async () => 0,
  watchStream: async () => -1,
  readStream: async () => [],
  authenticate: async () => principal,
  isValid: async () => true,
  keepAlive: () => {},
};
const sql = { exec: () => [], transaction: <T>(work: () => T): T => work() };

async function hubWith(watchers: number, target: (n: number) => object) {
  const hub = new LiveHub(host, new Interest(sql, Date.now, LIFE));
  const sockets: Socket[] = [];
  for (let n = 0; n < watchers; n++) {
    const socket = new Socket();
    hub.connect(socket, principal);
    await hub.message(socket, JSON.stringify({ type: "subscribe", id: "1", target: target(n) }));
    sockets.push(socket);
  }
  return { hub, sockets };
}

/** Microseconds of CPU. */
async function cpu(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function measure(title: string, watchers: number, target: (n: number) => object, runs: number) {
  const { hub, sockets } = await hubWith(watchers, target);
  const acknowledge = async () => {
    for (const socket of sockets) await hub.message(socket, JSON.stringify({ type: "ack", count: WINDOW }));
  };
  let version = 1;
  const round = async (rounds: number) => {
    for (let n = 0; n < rounds; n++) {
      version += 1;
      const rows: RunRow[] = [];
      for (let run = 0; run < runs; run++) {
        const row = record(run, version);
        versions.set(row.id, version);
        rows.push(row);
      }
      hub.runsChanged(QUEUE, rows, LIFE);
      const before = sent;
      while (sent === before) await rest(1);
      await rest(5);
      await acknowledge();
    }
  };
  await round(20);
  await rest(1_100);
  const before = sent;
  const rounds = 40;
  const busy = await cpu(() => round(rounds));
  const messages = sent - before;
  const acks = await cpu(acknowledge);
  console.log(
    `${title}: ${watchers} watchers, ${runs} runs change together: ${(busy / rounds / runs).toFixed(1)} µs a changed run, ${(busy / Math.max(1, messages)).toFixed(2)} µs a message; ${(acks / watchers).toFixed(2)} µs an acknowledgement`,
  );
}

const list = () => ({ kind: "runs", filter: { tags: ["t"] } });
await measure("lists", 1, list, 20);
await measure("lists", 1_000, list, 20);
await measure("lists", 10_000, list, 20);
await measure("single runs", 1_000, (n) => ({ kind: "run", runId: record(n, 1).id }), 1_000);
await measure("single runs", 10_000, (n) => ({ kind: "run", runId: record(n, 1).id }), 1_000);
process.exit();
