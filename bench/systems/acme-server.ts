/**
 * Acme's one-machine server as a program, without its rate limit: `node acme-server.ts DATA_DIR [docker]`. Prints
 * `ready at PATH_OF_LOCAL_JSON`, stops at SIGTERM.
 *
 * BENCH_WORKERD_INSPECTOR and BENCH_HOST_INSPECTOR (ports) open the inspectors of workerd and of the
 * container host, for `--profile`. BENCH_SOCKETS is the maximum number of live connections, instead of the
 * one derived from the limit of open files. BENCH_COUNTS makes the Worker count what it does,
 * BENCH_HOST_COUNTS (a file) its container host (see `bench/counts`). BENCH_PROCESSES is the number of
 * workerd processes.
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const dataDir = process.argv[2]!;
const { BENCH_WORKERD_INSPECTOR, BENCH_HOST_INSPECTOR, BENCH_COUNTS, BENCH_HOST_COUNTS, BENCH_SOCKETS } =
  process.env;

if (BENCH_WORKERD_INSPECTOR || BENCH_COUNTS) {
  // The server takes the path of workerd's binary from its package. Here that is a script that starts workerd
  // differently.
  const require = createRequire(import.meta.url);
  const path = require.resolve("workerd");
  const script = join(dataDir, "workerd.sh");
  const real = (require(path) as { default: string }).default;
  const lines = ["#!/bin/sh"];
  if (BENCH_COUNTS) {
    const instrument = fileURLToPath(new URL("../counts/instrument.ts", import.meta.url));
    lines.push(`"${process.execPath}" "${instrument}" "${join(dataDir, "generated/worker.mjs")}" || exit 1`);
  }
  const flags = BENCH_WORKERD_INSPECTOR ? ` --inspector-addr=127.0.0.1:${BENCH_WORKERD_INSPECTOR}` : "";
  lines.push(`exec "${real}" "$@"${flags}`, "");
  writeFileSync(script, lines.join("\n"), { mode: 0o755 });
  require.cache[path]!.exports = { default: script };
}
// Only the host inherits this server's environment, and it does not pass the environment on to its runtimes.
if (BENCH_HOST_COUNTS)
  process.env.NODE_OPTIONS = `--import=${new URL("../counts/host-messages.ts", import.meta.url).href}`;
if (BENCH_HOST_INSPECTOR) process.env.NODE_OPTIONS = `--inspect=127.0.0.1:${BENCH_HOST_INSPECTOR}`;

const { startServer } = await import("@acme/server");
const { formatPlatformLog } = await import("@acme/sdk/contract");
const server = await startServer({
  dataDir,
  port: 0,
  processes: Number(process.env.BENCH_PROCESSES ?? 1),
  executor: process.argv[3] === "docker" ? "docker" : "process",
  vars: {
    API_RATE_LIMIT: "100000000,100000000",
    ...(BENCH_SOCKETS ? { MAX_LIVE_SOCKETS: BENCH_SOCKETS } : {}),
  },
  log: (record) => console.error(formatPlatformLog(record, "pretty")),
});
console.log(`ready at ${server.localFile}`);
process.once("SIGTERM", () => void server.stop().then(() => process.exit(0)));
