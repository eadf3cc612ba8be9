import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expected } from "../http-client.ts";
import { type AcmeServer, deployProject, startAcmeServer } from "../systems/acme-process.ts";
import { childrenOf } from "../systems/process.ts";

/** A separate server with the project of this folder deployed; stopping it deletes its data. */
export interface Platform extends AcmeServer {
  /** Processes of tasks, where they are children of the host. */
  taskPids(): number[];
}

/** `env`: additional variables of the server, which its host sees too. */
export async function startPlatform(
  executor: "process" | "docker",
  env: Record<string, string> = {},
): Promise<Platform> {
  const folder = mkdtempSync(join(tmpdir(), "acme-bench-"));
  const server = await startAcmeServer(folder, { executor, env });
  deployProject(server, "bench/suspension/project");
  return {
    ...server,
    taskPids: () => childrenOf(server.pids().host),
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Triggers a run that waits until that time. Returns its id. */
export async function triggerWait({ http }: Platform, until: number): Promise<string> {
  const answer = await http.post("/api/v1/tasks/waits/trigger", JSON.stringify({ payload: { until } }));
  return (JSON.parse(expected(answer, 200)) as { id: string }).id;
}

/** Waits for a run of `waits` to end and returns its output. */
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
