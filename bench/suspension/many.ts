import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { now } from "../clock.ts";
import { expected } from "../http-client.ts";
import { load } from "../load.ts";
import { percentile } from "../statistics.ts";
import { cpuMs } from "../systems/process.ts";
import { type Platform, resultOf, startPlatform, triggerWait } from "./platform.ts";

const IDLE_MS = 30_000;

const memoryMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

/** Returns the memory in use now, and the share of a core that is used over `ms`. */
async function idle(platform: Platform, ms: number) {
  const { host, worker } = platform.pids();
  const before = [cpuMs([worker]), cpuMs([host])] as const;
  await sleep(ms);
  return {
    worker: { mb: memoryMb(worker), core: (cpuMs([worker]) - before[0]) / ms },
    host: { mb: memoryMb(host), core: (cpuMs([host]) - before[1]) / ms },
    processes: platform.taskPids().length,
  };
}

type Idle = Awaited<ReturnType<typeof idle>>;
const line = (what: string, { host, processes, worker }: Idle): string =>
  `${what}: workerd ${worker.mb.toFixed(0)} MB, ${(worker.core * 100).toFixed(1)} % of a core; host ${host.mb.toFixed(0)} MB, ${(host.core * 100).toFixed(1)} %; task processes ${processes}`;

/**
 * Measures `count` runs that all wait for the same moment: what they cost until then, and how they resume.
 */
export async function many(count: number): Promise<void> {
  // Warm processes are not measured, so none is kept.
  const platform = await startPlatform("process", { ACME_HOST_IDLE_MS: "2000", ACME_HOST_SPARES: "0" });
  try {
    await resultOf(platform, await triggerWait(platform, Date.now()));
    await sleep(5_000);
    console.log(line("before", await idle(platform, 10_000)));
    // Long enough for all runs to be suspended and measured before it ends.
    const until = Date.now() + 30_000 + IDLE_MS + count * 10;
    const begun = now();
    const ids: string[] = [];
    await load(8, count, async () => void ids.push(await triggerWait(platform, until)));
    await untilWaiting(platform, count);
    console.log(`${count} runs triggered and suspended in ${((now() - begun) / 1000).toFixed(1)} s`);
    await sleep(5_000);
    console.log(line(`${count} suspended`, await idle(platform, IDLE_MS)));
    await sleep(Math.max(0, until - Date.now() - 1_000));
    const late: number[] = [];
    await load(64, count, async (i) => void late.push((await resultOf(platform, ids[i] as string)).lateMs));
    const took = (Date.now() - until) / 1000;
    console.log(
      `all ${late.length} woken at one instant went on and ended in ${took.toFixed(1)} s (${(count / took).toFixed(0)} runs/s); ` +
        `late by ${percentile(late, 0.5).toFixed(0)} ms (p50), ${percentile(late, 0.99).toFixed(0)} ms (p99)`,
    );
  } finally {
    await platform.stop();
  }
}

/** Resolves when none of them holds a slot any more. */
async function untilWaiting({ http }: Platform, count: number): Promise<void> {
  for (;;) {
    const others = "QUEUED,DEQUEUED,EXECUTING";
    const answer = await http.get(`/api/v1/runs?filter[status]=${others}&page[size]=10`);
    const { data } = JSON.parse(expected(answer, 200)) as { data: unknown[] };
    if (data.length === 0) return;
    await sleep(Math.min(1_000, count));
  }
}
