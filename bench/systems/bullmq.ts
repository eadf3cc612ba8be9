import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { installPeers, resolvePeer } from "./peers.ts";
import { endProcess, startProcess } from "./process.ts";
import { startRedis } from "./redis.ts";
import type { Payload, System } from "./system.ts";

const WORKER = fileURLToPath(new URL("bullmq-worker.ts", import.meta.url));
/** As many as the closed loop has in flight. */
const CONCURRENCY = 50;
const LOOK_MS = 50;

interface Connection {
  connection: { host: string; port: number };
}
interface Job {
  id: string;
  waitUntilFinished(events: object): Promise<unknown>;
}
interface Ready {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

/** The part of bullmq that is used; the package is not installed when types are checked. */
export interface BullMq {
  Queue: new (
    name: string,
    options: Connection,
  ) => Ready & {
    setMaxListeners(most: number): void;
    add(name: string, data: Payload): Promise<Job>;
    getJobCounts(...states: string[]): Promise<Record<string, number>>;
  };
  QueueEvents: new (name: string, options: Connection) => Ready;
  Worker: new (
    name: string,
    processor: (job: { data: Payload }) => Promise<unknown>,
    options: Connection & { concurrency: number },
  ) => Ready;
}

/**
 * BullMQ over a Redis that flushes each write, with its defaults apart from the worker's concurrency. It has
 * no server of its own: the client talks to Redis. A complete run is a job whose `waitUntilFinished`
 * resolves.
 */
export async function startBullMq(folder: string): Promise<System> {
  installPeers();
  mkdirSync(folder, { recursive: true });
  const redis = await startRedis(folder);
  const path = resolvePeer("bullmq");
  const worker = await startProcess(
    process.execPath,
    [WORKER, path, String(redis.port), String(CONCURRENCY)],
    { cwd: folder, env: { NODE_ENV: "production" }, ready: /^ready/ },
  );
  const { Queue, QueueEvents } = (await import(pathToFileURL(path).href)) as BullMq;
  const connection = { host: "127.0.0.1", port: redis.port };
  const queue = new Queue("bench", { connection });
  // Each waiting call adds a listener to the queue's events.
  queue.setMaxListeners(0);
  const events = new QueueEvents("bench", { connection });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);

  return {
    name: "BullMQ",
    isQueue: true,
    durability: "Redis append-only file with fsync before each answer (appendfsync always)",
    serverPids: () => [redis.pid],
    workerPids: () => [worker.child.pid as number],
    trigger: async (payload) => (await queue.add("noop", payload)).id,
    async runToEnd(payload) {
      const job = await queue.add("noop", payload);
      await job.waitUntilFinished(events);
    },
    async untilFinished() {
      for (;;) {
        const counts = await queue.getJobCounts("waiting", "active", "prioritized", "delayed");
        if (Object.values(counts).every((count) => count === 0)) return;
        await sleep(LOOK_MS);
      }
    },
    async stop() {
      await endProcess(worker.child, "SIGKILL");
      await Promise.all([queue.close(), events.close()]);
      await redis.stop();
    },
  };
}
