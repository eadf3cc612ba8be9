import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expected, HttpClient } from "../http-client.ts";
import { load } from "../load.ts";
import { childrenOf, endProcess, startProcess } from "./process.ts";
import type { Payload, System } from "./system.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROJECT = join(ROOT, "bench/project");

interface Access {
  apiUrl: string;
  secretKey: string;
  accessToken: string;
}

export interface AcmeOptions {
  /** Ports of the inspectors of workerd and of the container host. Default: closed. */
  inspectors?: { workerd: number; host: number };
}

/**
 * Acme's one-machine server with its defaults (the rate limit aside), runs executed in child processes. The public HTTP
 * API only: a run to its end is a trigger followed by a long poll for the result.
 */
export async function startAcme(folder: string, options: AcmeOptions = {}): Promise<System> {
  mkdirSync(folder, { recursive: true });
  const { inspectors } = options;
  const server = await startProcess(process.execPath, [join(ROOT, "bench/systems/acme-server.ts"), folder], {
    cwd: ROOT,
    env: inspectors && {
      BENCH_WORKERD_INSPECTOR: String(inspectors.workerd),
      BENCH_HOST_INSPECTOR: String(inspectors.host),
    },
    ready: /^ready at (.*)/,
  });
  const access = JSON.parse(readFileSync(server.match[1]!, "utf8")) as Access;
  deploy(access);
  const http = new HttpClient(access.apiUrl, { authorization: `Bearer ${access.secretKey}` });
  const pids = (): { worker: number; host: number } =>
    JSON.parse(readFileSync(join(folder, "pids.json"), "utf8"));

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
    async stop() {
      await http.close();
      await endProcess(server.child, "SIGTERM");
    },
  };
}

/** With the CLI, as a user does. */
function deploy(access: Access): void {
  const cli = spawnSync(
    process.execPath,
    [join(ROOT, "cli/src/main.ts"), "deploy", PROJECT, "--env", "prod"],
    {
      cwd: ROOT,
      env: { ...process.env, ACME_API_URL: access.apiUrl, ACME_ACCESS_TOKEN: access.accessToken },
      encoding: "utf8",
    },
  );
  if (cli.status !== 0)
    throw new Error(`The bench's project could not be deployed:\n${cli.stdout}${cli.stderr}`);
}
