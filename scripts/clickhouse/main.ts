/**
 * `npm run clickhouse [-- --port PORT --data FOLDER]`: a ClickHouse on this machine, for development and
 * tests. It is the real engine, in a process, behind ClickHouse's HTTP interface. For production use a
 * ClickHouse server.
 */
import { mkdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Engine } from "./engine.ts";
import { installEngine } from "./install.ts";
import { clickhouseServer } from "./serve.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8123" },
    data: { type: "string", default: join(import.meta.dirname, "../../.acme/clickhouse") },
  },
});
const folder = await installEngine((line) => console.log(line));
const data = resolve(values.data);
mkdirSync(data, { recursive: true });
const engine = new Engine(folder, data);
const server = clickhouseServer(engine);
server.once("error", (error) => {
  console.error(`ClickHouse could not listen: ${error.message}`);
  process.exit(1);
});
server.listen(Number(values.port), "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`ClickHouse is running at http://127.0.0.1:${port}`);
});
let isStopping = false;
const stop = (): void => {
  if (isStopping) return;
  isStopping = true;
  // Requests in progress are answered first, because the engine can't be closed while it runs them.
  server.close(() => {
    engine.close();
    process.exit(0);
  });
  server.closeIdleConnections();
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
