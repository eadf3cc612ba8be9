/**
 * A worker of graphile-worker that does what Acme's `noop` task does, as a program:
 * `node graphile-worker.ts PATH_OF_GRAPHILE_WORKER POSTGRES_URL CONCURRENCY`. Prints `ready`, and sends its parent the id of each
 * job that has been completed.
 */
import { pathToFileURL } from "node:url";
import { mark } from "../project/src/trigger/mark.ts";
import type { GraphileWorker } from "./graphile.ts";

const [path, connectionString, concurrency] = process.argv.slice(2) as [string, string, string];
const { run } = (await import(pathToFileURL(path).href)) as GraphileWorker;
const runner = await run({
  connectionString,
  concurrency: Number(concurrency),
  maxPoolSize: Number(concurrency),
  noHandleSignals: true,
  taskList: {
    noop: async (payload) => {
      if (payload.marks) mark(payload.marks, payload.i);
    },
  },
});
let completed: string[] = [];
runner.events.on("job:complete", ({ job }) => {
  if (completed.push(job.id) > 1) return;
  setImmediate(() => {
    process.send?.(completed);
    completed = [];
  });
});
console.log("ready");
