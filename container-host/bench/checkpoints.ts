/**
 * Measures what a container host takes to save and to restore a process that waits, against a scripted server:
 * `node container-host/bench/checkpoints.ts [ROUNDS]`. Needs a Docker Engine with CRIU. Prints each round, then medians.
 * Save: from the run's beginning to wait until its process is saved. Restore: from handing the run out again until the host
 * reports that it has resumed.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logTo, startHost } from "../src/index.ts";
import { projectBundle } from "../test/support/bundle.ts";
import { HOST_TOKEN, ScriptedServer } from "../test/support/scripted-server.ts";

const rounds = Number(process.argv[2] ?? 10);
const server = await new ScriptedServer().listen();
server.deploy(await projectBundle());
const dataDir = mkdtempSync(join(tmpdir(), "acme-checkpoints-"));
const host = await startHost(
  { apiUrl: server.url, hostToken: HOST_TOKEN, executor: "docker", dataDir, spares: 0, drainMs: 0 },
  logTo((level, message) => level !== "info" && console.error(`${level}: ${message}`)),
);
await host.ready;

const bytesBelow = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { name, parentPath }) => sum + statSync(join(parentPath, name)).size, 0);

const median = (values: number[]): string =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]?.toFixed(0) ?? "none";

const saves: number[] = [];
const restores: number[] = [];
let run = server.trigger("remembers", { payload: { times: rounds } });
for (let round = 1; round <= rounds; round++) {
  const wait = await server.operationOf(run, round * 2 - 1);
  const told = await server.suspensionOf(run);
  saves.push(Date.now() - wait.startedAt);
  if (!told.checkpoint) console.error(`Round ${round} was not saved: ${told.checkpointError}`);
  const megabytes = bytesBelow(join(dataDir, "checkpoints")) / 1024 ** 2;
  const begun = performance.now();
  run = await server.resume(run);
  const again = run;
  await server.until("it resumes", () => server.resumedBy(again) !== undefined);
  restores.push(performance.now() - begun);
  console.log(
    `round ${round}: saved in ${saves.at(-1)} ms (${megabytes.toFixed(1)} MB), restored in ${restores.at(-1)?.toFixed(0)} ms by ${server.resumedBy(again)?.by}`,
  );
}
await server.outputOf(run);
console.log(`save: p50 ${median(saves)} ms, restore: p50 ${median(restores)} ms (${rounds} rounds)`);
await host.stop();
await server.close();
rmSync(dataDir, { recursive: true, force: true });
