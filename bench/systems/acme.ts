import { expected } from "../http-client.ts";
import { load } from "../load.ts";
import { deployProject, startAcmeServer } from "./acme-process.ts";
import { childrenOf } from "./process.ts";
import type { Payload, System } from "./system.ts";

export interface AcmeOptions {
  /** Ports of the inspectors of workerd and of the container host. Default: closed. */
  inspectors?: { workerd: number; host: number };
}

/**
 * Acme's one-machine server with its defaults (the rate limit aside), runs executed in child processes. The public HTTP
 * API only: a run to its end is a trigger followed by a long poll for the result.
 */
export async function startAcme(folder: string, options: AcmeOptions = {}): Promise<System> {
  const { inspectors } = options;
  const server = await startAcmeServer(folder, {
    env: inspectors && {
      BENCH_WORKERD_INSPECTOR: String(inspectors.workerd),
      BENCH_HOST_INSPECTOR: String(inspectors.host),
    },
  });
  deployProject(server, "bench/project");
  const { http, pids, stop } = server;

  const trigger = async (payload: Payload, task = "noop"): Promise<string> => {
    const answer = await http.post(`/api/v1/tasks/${task}/trigger`, JSON.stringify({ payload }));
    return (JSON.parse(expected(answer, 200)) as { id: string }).id;
  };
  const outcome = async (id: string): Promise<void> => {
    const result = JSON.parse(expected(await http.get(`/api/v1/runs/${id}/result?wait=60`), 200));
    if (result.ok !== true) throw new Error(`Run ${id} failed: ${JSON.stringify(result)}`);
  };
  return {
    name: "Acme",
    durability:
      "SQLite write-ahead log of each object with fsync for each commit; an object's concurrent calls share one",
    serverPids: () => [pids().worker],
    workerPids: () => [pids().host, ...childrenOf(pids().host)],
    trigger: (payload) => trigger(payload),
    async runToEnd(payload, task) {
      await outcome(await trigger(payload, task));
    },
    async untilFinished(handles) {
      await load(8, handles.length, (i) => outcome(handles[i]!));
    },
    stop,
  };
}
