/**
 * What the objects that schedule do for a run, with and without watchers: their statements and transactions,
 * and the calls that they make and receive. Counts hardly depend on what else the machine does.
 *
 *   node scripts/bootstrap.mjs bench/live/counts.ts [--watchers 1000] [--rate 200] [--seconds 10] [--rounds 2]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { eventually } from "../../tests/support/eventually.ts";
import { expected } from "../http-client.ts";
import { Crowd } from "./crowd.ts";
import { Setting } from "./setting.ts";

const { values } = parseArgs({
  options: {
    watchers: { type: "string", default: "1000" },
    rate: { type: "string", default: "200" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "2" },
  },
});
const rate = Number(values.rate);
const seconds = Number(values.seconds);
const CASES = [0, 1, Number(values.watchers)];
/** Events of the objects that schedule, and calls to them. */
const SCHEDULING =
  /(^| of )(call )?(queue|environment|dispatcher)\.|(Queue|Environment|Dispatcher)Object$|live\.runsChanged$/;
/** Events that occur less often per run than this are housekeeping. */
const SHOWN_FROM = 0.005;

const setting = await Setting.start({ BENCH_COUNTS: "1" });
const { url, place, server } = setting;
const take = async () =>
  JSON.parse(expected(await server.http.get("/__counts"), 200)) as Record<string, number>;

async function counted(watchers: number, round: number): Promise<Record<string, number>> {
  const tag = `counts-${watchers}-${round}`;
  const crowd = new Crowd(Math.min(4, Math.max(1, Math.ceil(watchers / 250))));
  const target = { kind: "runs", filter: { tags: [tag] }, limit: 100 };
  try {
    const { opened } = await crowd.open(watchers, { url, token: place.secretKey, target });
    await eventually("all watch", async () => (await crowd.report()).answered >= opened);
    // A queue that knows of no listener asks again within a minute, unless it has been notified of one since.
    await sleep(1_000);
    await setting.quiet();
    await take();
    await setting.runs(tag, rate, seconds);
    await setting.quiet();
    const counts = await take();
    return Object.fromEntries(
      Object.entries(counts).map(([what, count]) => [what, count / (rate * seconds)]),
    );
  } finally {
    await crowd.close();
    crowd.end();
  }
}

try {
  await setting.runs("warm", 50, 4);
  const sums = CASES.map((): Record<string, number> => ({}));
  const rounds = Number(values.rounds);
  for (let round = 1; round <= rounds; round++)
    for (const [index, watchers] of CASES.entries())
      for (const [what, count] of Object.entries(await counted(watchers, round)))
        sums[index]![what] = (sums[index]![what] ?? 0) + count / rounds;
  const names = [...new Set(sums.flatMap((counts) => Object.keys(counts)))]
    .filter((what) => SCHEDULING.test(what))
    .filter((what) => sums.some((counts) => (counts[what] ?? 0) >= SHOWN_FROM))
    .sort();
  console.log(`| for one run | ${CASES.map((watchers) => `${watchers} watchers`).join(" | ")} |`);
  console.log(`| --- | ${CASES.map(() => "---:").join(" | ")} |`);
  for (const what of names)
    console.log(`| ${what} | ${sums.map((counts) => (counts[what] ?? 0).toFixed(2)).join(" | ")} |`);
} finally {
  await setting.stop();
}
process.exit();
