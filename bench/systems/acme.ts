import { expected } from "../http-client.ts";
import { load } from "../load.ts";
import { deployProject, startAcmeServer } from "./acme-process.ts";
import { childrenOf } from "./process.ts";
import type { Payload, System } from "./system.ts";

export interface AcmeOptions {
  /** Ports of the inspectors of workerd and of the container host. Default: closed. */
  inspectors?: { workerd: number; host: number };
  /** Another checkout, whose server, host and runtime it is. Default: this one. */
  root?: string;
}

/**
 * Acme's one-machine server with its defaults (except for the rate limit), which executes runs in child
 * processes. Only the public HTTP API is used: a complete run is a trigger that waits for the result.
 */
export async function startAcme(folder: string, options: AcmeOptions = {}): Promise<System> {
  const { inspectors, root } = options;
  const server = await startAcmeServer(folder, {
    root,
    env: inspectors && {
      BENCH_WORKERD_INSPECTOR: String(inspectors.workerd),
      BENCH_HOST_INSPECTOR: String(inspectors.host),
    },
  });
  deployProject(server, "bench/project");
  const { http, pids, stop } = server;

  const post = async (payload: Payload, path: string) =>
    JSON.parse(expected(await http.post(`/api/v1/tasks/${path}`, JSON.stringify({ payload })), 200));
  const trigger = async (payload: Payload): Promise<string> => (await post(payload, "noop/trigger")).id;
  const outcome = async (id: string): Promise<void> => {
    const result = JSON.parse(expected(await http.get(`/api/v1/runs/${id}/result?wait=60`), 200));
    if (result.ok !== true) throw new Error(`Run ${id} failed: ${JSON.stringify(result)}`);
  };
  return {
    name: root === undefined ? "Acme" : "Baseline",
    durability:
      "SQLite write-ahead log of each object with fsync for each commit; an object's concurrent calls share one",
    serverPids: () => [pids().worker],
    workerPids: () => [pids().host, ...childrenOf(pids().host)],
    trigger,
    async runToEnd(payload, task = "noop") {
      const { id, result } = await post(payload, `${task}/trigger?wait=60`);
      if (result?.ok !== true) throw new Error(`Run ${id} failed: ${JSON.stringify(result)}`);
    },
    async untilFinished(handles) {
      await load(8, handles.length, (i) => outcome(handles[i]!));
    },
    stop,
  };
}
