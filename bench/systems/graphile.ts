import { mkdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { startPostgres } from "../../workers/test/storage/postgres-server.ts";
import { now } from "../clock.ts";
import { installPeers, resolvePeer } from "./peers.ts";
import { childrenOf, endProcess, startProcess } from "./process.ts";
import type { Payload, System } from "./system.ts";

const WORKER = fileURLToPath(new URL("graphile-worker.ts", import.meta.url));
/** Concurrent jobs, each with a connection. More would make Postgres slower on a few cores. */
const CONCURRENCY = 20;
/** Connections of the client. */
const CLIENTS = 32;
const LOOK_MS = 50;

interface Utils {
  migrate(): Promise<void>;
  addJob(task: string, payload: Payload): Promise<{ id: string }>;
  withPgClient<T>(
    work: (client: { query(text: string): Promise<{ rows: { n: string }[] }> }) => Promise<T>,
  ): Promise<T>;
  release(): Promise<void>;
}

/** The part of graphile-worker that is used; the package is not installed when types are checked. */
export interface GraphileWorker {
  makeWorkerUtils(options: { connectionString: string; maxPoolSize: number }): Promise<Utils>;
  run(options: {
    connectionString: string;
    concurrency: number;
    maxPoolSize: number;
    noHandleSignals: boolean;
    taskList: Record<string, (payload: Payload) => Promise<void>>;
  }): Promise<{
    events: { on(event: "job:complete", listener: (about: { job: { id: string } }) => void): void };
  }>;
}

/** Postgres names each process after its purpose. */
const hasSessions = (pid: number): boolean =>
  childrenOf(pid).some((child) => /acme postgres/.test(commandOf(child)));

/** Returns an empty text if the process has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/**
 * graphile-worker over a Postgres with its defaults. It has no server of its own: the client talks to
 * Postgres. It does not notify callers of the end of a job, so the worker does, through a pipe and after the
 * job's row was deleted, which costs less than any way through the database.
 */
export async function startGraphile(folder: string): Promise<System> {
  installPeers();
  mkdirSync(folder, { recursive: true });
  const postgres = await startPostgres({ fsync: true });
  const path = resolvePeer("graphile-worker");
  const { makeWorkerUtils } = (await import(pathToFileURL(path).href)) as GraphileWorker;
  const utils = await makeWorkerUtils({ connectionString: postgres.url, maxPoolSize: CLIENTS });
  await utils.migrate();
  const worker = await startProcess(process.execPath, [WORKER, path, postgres.url, String(CONCURRENCY)], {
    cwd: folder,
    env: { NODE_ENV: "production" },
    ready: /^ready/,
    ipc: true,
  });
  /** Jobs that have ended before their caller waits, and those that are waited for. */
  const ended = new Set<string>();
  const waiting = new Map<string, () => void>();
  let isWatched = false;
  worker.child.on("message", (ids: string[]) => {
    for (const id of ids) {
      const resolve = waiting.get(id);
      if (resolve) resolve();
      else if (isWatched) ended.add(id);
    }
  });

  return {
    name: "graphile-worker",
    isQueue: true,
    durability: "Postgres write-ahead log with fsync for each commit (its defaults)",
    serverPids: () => [postgres.pid, ...childrenOf(postgres.pid)],
    workerPids: () => [worker.child.pid as number],
    async trigger(payload) {
      isWatched = false;
      return (await utils.addJob("noop", payload)).id;
    },
    async runToEnd(payload) {
      isWatched = true;
      const { id } = await utils.addJob("noop", payload);
      if (!ended.delete(id)) await new Promise<void>((resolve) => waiting.set(id, resolve));
      waiting.delete(id);
    },
    async untilFinished() {
      for (;;) {
        const { rows } = await utils.withPgClient((client) =>
          client.query("SELECT count(*) AS n FROM graphile_worker.jobs"),
        );
        if (rows[0]?.n === "0") return;
        await sleep(LOOK_MS);
      }
    },
    async stop() {
      await endProcess(worker.child, "SIGKILL");
      await utils.release();
      // A connection that is ended by Postgres rather than by its client is an error that nothing could
      // catch.
      for (const deadline = now() + 5_000; hasSessions(postgres.pid) && now() < deadline; )
        await sleep(LOOK_MS);
      await postgres.stop();
    },
  };
}
