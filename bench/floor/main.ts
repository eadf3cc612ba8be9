/**
 * What plain `workerd serve` costs on this machine with minimal code: the lower bound of Acme's figures.
 * `node bench/floor/main.ts`
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expected, HttpClient } from "../http-client.ts";
import { load } from "../load.ts";
import { p50p99 } from "../statistics.ts";
import { cpuMs, endProcess, startProcess } from "../systems/process.ts";

const WORKERD = (createRequire(import.meta.url)("workerd") as { default: string }).default;
const WORKER = fileURLToPath(new URL("worker.js", import.meta.url));
const PATHS = {
  "/hello": "a request",
  "/body": "a request whose body is read",
  "/rpc": "a call of an object",
  "/insert": "a call that inserts a row",
  "/grouped": "the same, calls of a moment sharing a commit",
};

const config = (port: number, disk: string) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "disk", disk = (path = "${disk}", writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-02",
  durableObjectNamespaces = [(className = "Floor", uniqueKey = "floor", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "FLOOR", durableObjectNamespace = "Floor")],
);
`;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

const folder = mkdtempSync(join(tmpdir(), "acme-floor-"));
mkdirSync(join(folder, "disk"));
const port = await freePort();
writeFileSync(join(folder, "config.capnp"), config(port, join(folder, "disk")));
copyFileSync(WORKER, join(folder, "worker.js"));
const { child } = await startProcess(
  WORKERD,
  ["serve", "--experimental", "--control-fd=1", join(folder, "config.capnp")],
  { cwd: folder, ready: /"listen"/ },
);
const http = new HttpClient(`http://127.0.0.1:${port}`, {
  authorization: "Bearer tr_prod_0123456789abcdef0123",
});
const body = JSON.stringify({ payload: { i: 1 } });
try {
  for (const [path, what] of Object.entries(PATHS)) {
    const one = async (): Promise<void> => void expected(await http.post(path, body), 200);
    await load(32, 3_000, one);
    await sleep(500);
    const sequential = p50p99((await load(1, 1_000, one)).latencies);
    const before = cpuMs([child.pid!]);
    const { latencies, elapsedMs } = await load(32, 10_000, one);
    const cpuMicros = ((cpuMs([child.pid!]) - before) / 10_000) * 1_000;
    const concurrent = p50p99(latencies);
    const ms = (value: number) => `${value.toFixed(2)} ms`;
    console.log(
      `${what.padEnd(46)} 1 client: p50 ${ms(sequential.p50)}, p99 ${ms(sequential.p99)}   32 clients: ${Math.round(10_000 / (elapsedMs / 1000))}/s, p50 ${ms(concurrent.p50)}, p99 ${ms(concurrent.p99)}, ${cpuMicros.toFixed(0)} µs of CPU each`,
    );
  }
} finally {
  await http.close();
  await endProcess(child, "SIGTERM");
  rmSync(folder, { recursive: true, force: true });
}
