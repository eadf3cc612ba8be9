import { mkdtempSync, readFileSync } from "node:fs";
import { batch } from "@acme/sdk";
import { deployTaskFile } from "../tests/support/deploy-task.ts";
import { endProcess, startProcess } from "./systems/process.ts";

const folder = mkdtempSync("/tmp/acme-prof-");
const server = await startProcess(process.execPath, ["bench/systems/acme-server.ts", folder], {
  cwd: process.cwd(),
  ready: /^ready at (.*)/,
});
const access = JSON.parse(readFileSync(server.match[1]!, "utf8"));
server.child.stderr!.on("data", (d) => {
  const m = String(d).match(/CHUNKS.*/g);
  if (m) console.log(m.join("\n"));
});
server.child.stdout!.on("data", (d) => {
  const m = String(d).match(/CHUNKS.*/g);
  if (m) console.log(m.join("\n"));
});
await deployTaskFile(
  access,
  `import { task } from "@acme/sdk"; export const t = task({ id: "item", queue: { concurrencyLimit: 1 }, run: async ({ index }) => index });`,
);
const payload = "x".repeat(10240);
await batch.trigger(
  Array.from({ length: 5000 }, (_, index) => ({ id: "item", payload: { index, payload } })),
  {},
  { clientConfig: { baseURL: access.apiUrl, accessToken: access.secretKey } },
);
await new Promise((r) => setTimeout(r, 500));
await endProcess(server.child, "SIGTERM");
process.exit(0);
