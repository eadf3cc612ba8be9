/**
 * A worker of BullMQ that does what Acme's `noop` task does, as a program: `node bullmq-worker.ts PATH_OF_BULLMQ PORT CONCURRENCY`.
 * Prints `ready`.
 */
import { pathToFileURL } from "node:url";
import { mark } from "../project/src/trigger/mark.ts";
import type { BullMq } from "./bullmq.ts";

const [path, port, concurrency] = process.argv.slice(2) as [string, string, string];
const { Worker } = (await import(pathToFileURL(path).href)) as BullMq;
const worker = new Worker(
  "bench",
  async ({ data }) => {
    if (data.marks) mark(data.marks, data.i);
    return { i: data.i };
  },
  { connection: { host: "127.0.0.1", port: Number(port) }, concurrency: Number(concurrency) },
);
await worker.waitUntilReady();
console.log("ready");
