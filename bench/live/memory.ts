/**
 * Whether watchers leak memory: in each round a crowd connects, watches while runs are executed, and
 * disconnects. Garbage is collected after each round, so V8's heap contains only what is still in use.
 *
 *   node scripts/bootstrap.mjs bench/live/memory.ts [--watchers 1000] [--rounds 10] [--rate 200] [--seconds 5] [--stay]
 *
 * `--stay`: the same crowd watches in all rounds.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { eventually } from "../../tests/support/eventually.ts";
import { Inspector } from "../profile/inspector.ts";
import { freePort } from "../systems/free-port.ts";
import { Crowd } from "./crowd.ts";
import { Setting } from "./setting.ts";

const { values } = parseArgs({
  options: {
    watchers: { type: "string", default: "1000" },
    rounds: { type: "string", default: "10" },
    rate: { type: "string", default: "200" },
    seconds: { type: "string", default: "5" },
    stay: { type: "boolean", default: false },
  },
});
const watchers = Number(values.watchers);
const rate = Number(values.rate);
const seconds = Number(values.seconds);
const TAG = "memory";

const port = await freePort();
const setting = await Setting.start({ BENCH_WORKERD_INSPECTOR: String(port) });
const { url, place } = setting;
const crowd = new Crowd(4);
const target = { kind: "runs", filter: { tags: [TAG] }, limit: 100 };

async function open(): Promise<void> {
  const { opened } = await crowd.open(watchers, { url, token: place.secretKey, target });
  await eventually("all have their first state", async () => (await crowd.report()).answered >= opened);
}

/** Megabytes of V8's heap in use once garbage is collected. */
async function heap(): Promise<number> {
  const inspector = await Inspector.open(port);
  try {
    await inspector.call("HeapProfiler.collectGarbage");
    await inspector.call("HeapProfiler.collectGarbage");
    const { usedSize } = await inspector.call<{ usedSize: number }>("Runtime.getHeapUsage");
    return usedSize / 1_048_576;
  } finally {
    inspector.close();
  }
}

const row = (cells: (string | number)[]) => console.log(`| ${cells.join(" | ")} |`);

try {
  await setting.runs("warm", 50, 4);
  if (values.stay) await open();
  row(["after round", "runs", "messages", "heap in use (MB)", "workerd in memory (MB)"]);
  row(["---:", "---:", "---:", "---:", "---:"]);
  row([0, 0, 0, (await heap()).toFixed(1), setting.memory().toFixed(0)]);
  let messages = 0;
  for (let round = 1; round <= Number(values.rounds); round++) {
    if (!values.stay) await open();
    const before = (await crowd.report()).messages;
    await setting.runs(TAG, rate, seconds);
    await setting.quiet();
    messages += (await crowd.report()).messages - before;
    if (values.stay) await crowd.forget();
    else await crowd.close();
    await sleep(1_000);
    await setting.quiet();
    const used = await heap();
    row([round, round * rate * seconds, messages, used.toFixed(1), setting.memory().toFixed(0)]);
  }
} finally {
  await crowd.close();
  crowd.end();
  await setting.stop();
}
process.exit();
