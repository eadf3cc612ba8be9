import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expected, HttpClient } from "../http-client.ts";
import { childrenOf, endProcess, startProcess } from "../systems/process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A server of its own with the project of this folder deployed. */
export interface Platform {
  http: HttpClient;
  pids(): { worker: number; host: number };
  /** Processes of tasks, where they are children of the host. */
  taskPids(): number[];
  hostId: string;
  stop(): Promise<void>;
}

/** `env`: more variables of the server, which its host sees. */
export async function startPlatform(
  executor: "process" | "docker",
  env: Record<string, string> = {},
): Promise<Platform> {
  const folder = mkdtempSync(join(tmpdir(), "acme-bench-"));
  const server = await startProcess(
    process.execPath,
    [join(ROOT, "bench/systems/acme-server.ts"), folder, executor],
    { cwd: ROOT, env, ready: /^ready at (.*)/ },
  );
  const access = JSON.parse(readFileSync(server.match[1] as string, "utf8")) as {
    apiUrl: string;
    secretKey: string;
    accessToken: string;
  };
  const deployed = spawnSync(
    process.execPath,
    [join(ROOT, "cli/src/main.ts"), "deploy", join(ROOT, "bench/suspension/project"), "--env", "prod"],
    {
      cwd: ROOT,
      env: { ...process.env, ACME_API_URL: access.apiUrl, ACME_ACCESS_TOKEN: access.accessToken },
      encoding: "utf8",
    },
  );
  if (deployed.status !== 0) throw new Error(`${deployed.stdout}${deployed.stderr}`);
  const http = new HttpClient(access.apiUrl, { authorization: `Bearer ${access.secretKey}` });
  const pids = (): { worker: number; host: number } =>
    JSON.parse(readFileSync(join(folder, "pids.json"), "utf8"));
  return {
    http,
    pids,
    taskPids: () => childrenOf(pids().host),
    hostId: readFileSync(join(folder, "host/host-id"), "utf8").trim(),
    async stop() {
      await http.close();
      await endProcess(server.child, "SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Triggers a run that waits until then. Returns its id. */
export async function triggerWait({ http }: Platform, until: number): Promise<string> {
  const answer = await http.post("/api/v1/tasks/waits/trigger", JSON.stringify({ payload: { until } }));
  return (JSON.parse(expected(answer, 200)) as { id: string }).id;
}

/** What a run of `waits` returned, as soon as it has. */
export async function resultOf({ http }: Platform, id: string): Promise<{ lateMs: number; pid: number }> {
  for (;;) {
    const answer = await http.get(`/api/v1/runs/${id}/result?wait=60`);
    if (answer.status === 404) continue;
    const result = JSON.parse(expected(answer, 200)) as { ok: boolean; output?: string };
    if (!result.ok || !result.output) throw new Error(`Run ${id} failed: ${answer.body}`);
    return JSON.parse(result.output) as { lateMs: number; pid: number };
  }
}

interface RunEvent {
  type: string;
  time: string;
  message: string;
}

export async function eventsOf({ http }: Platform, id: string): Promise<RunEvent[]> {
  return (JSON.parse(expected(await http.get(`/api/v1/runs/${id}/events`), 200)) as { events: RunEvent[] })
    .events;
}
