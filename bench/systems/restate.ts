import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expected, HttpClient } from "../http-client.ts";
import { installPeers, resolvePeer, restateServer } from "./peers.ts";
import { endProcess, startProcess } from "./process.ts";
import type { System } from "./system.ts";

const SERVICE = fileURLToPath(new URL("restate-service.ts", import.meta.url));
const LOOK_MS = 50;

/**
 * Restate's server with all of its defaults (except for the ports), and a service of its TypeScript SDK,
 * which Restate calls over HTTP/2. Triggers are one-way sends; a complete run is a plain call, which waits
 * for the outcome.
 */
export async function startRestate(folder: string): Promise<System> {
  installPeers();
  mkdirSync(folder, { recursive: true });
  const service = await startProcess(process.execPath, [SERVICE, resolvePeer("@restatedev/restate-sdk")], {
    cwd: folder,
    env: { NODE_ENV: "production", RESTATE_LOGGING: "WARN" },
    ready: /^listening on (\d+)/,
  });
  const ports = { ingress: "", admin: "" };
  const server = await startProcess(
    restateServer(),
    [
      ...["--no-logo", "--use-random-ports=true", "--bind-ip=127.0.0.1", "--listen-mode=tcp"],
      ...["--node-name=bench", `--base-dir=${join(folder, "data")}`, "--log-format=json"],
    ],
    {
      cwd: folder,
      env: { DO_NOT_TRACK: "1", RESTATE_DISABLE_TELEMETRY: "true" },
      ready: /"admin-api-server"/,
      onLine(line) {
        const listening = line.match(/"(http-ingress-server|admin-api-server)"/);
        const port = line.match(/"server\.port":"?(\d+)/);
        if (listening && port) ports[listening[1] === "admin-api-server" ? "admin" : "ingress"] = port[1]!;
      },
    },
  );
  const admin = new HttpClient(`http://127.0.0.1:${ports.admin}`, { accept: "application/json" });
  const ingress = new HttpClient(`http://127.0.0.1:${ports.ingress}`);
  const deployment = JSON.stringify({ uri: `http://127.0.0.1:${service.match[1]}` });
  expected(await admin.post("/deployments", deployment), 201);

  return {
    name: "Restate",
    durability:
      "RocksDB write-ahead log with fsync for each batch of appends (defaults: rocksdb-disable-wal-fsync = false)",
    serverPids: () => [server.child.pid!],
    workerPids: () => [service.child.pid!],
    async trigger(payload) {
      const answer = await ingress.post("/bench/noop/send", JSON.stringify(payload));
      return (JSON.parse(expected(answer, 202)) as { invocationId: string }).invocationId;
    },
    async runToEnd(payload, task = "noop") {
      expected(await ingress.post(`/bench/${task}`, JSON.stringify(payload)), 200);
    },
    async untilFinished() {
      // The outcomes of its runs can't be queried one by one, so all runs are counted.
      const query = "SELECT COUNT(*) AS n FROM sys_invocation WHERE status <> 'completed'";
      for (;;) {
        const answer = expected(await admin.post("/query", JSON.stringify({ query })), 200);
        if ((JSON.parse(answer) as { rows: { n: number }[] }).rows[0]!.n === 0) return;
        await sleep(LOOK_MS);
      }
    },
    async stop() {
      await admin.close();
      await ingress.close();
      await endProcess(server.child, "SIGTERM");
      await endProcess(service.child, "SIGKILL");
    },
  };
}
