import { setTimeout as sleep } from "node:timers/promises";
import { load } from "../load.ts";
import { percentile } from "../statistics.ts";
import { eventsOf, type Platform, resultOf, startPlatform, triggerWait } from "./platform.ts";

const WAIT_MS = 3_000;

interface Figures {
  how: string;
  runs: number;
  /** From the start of the wait until the slot was free: p50, p99. */
  suspend: [number, number];
  /** From the end of the wait until the code after it: p50, p99. */
  resume: [number, number];
}

/**
 * Measures runs that wait three seconds, one after the other: how long it takes until they hold nothing, and
 * how late they resume. The first is not counted.
 */
async function measure(platform: Platform, how: string, runs: number): Promise<Figures> {
  const suspend: number[] = [];
  const resume: number[] = [];
  await load(1, runs + 1, async (i) => {
    const id = await triggerWait(platform, Date.now() + WAIT_MS);
    const { lateMs } = await resultOf(platform, id);
    const events = await eventsOf(platform, id);
    const at = (type: string): number => Date.parse(events.find((event) => event.type === type)?.time ?? "");
    if (i > 0) {
      suspend.push(at("suspended") - at("operation.started"));
      resume.push(lateMs);
    }
    // A spare runtime that starts meanwhile is not part of the measurement.
    await sleep(200);
  });
  const both = (samples: number[]): [number, number] => [percentile(samples, 0.5), percentile(samples, 0.99)];
  return { how, runs, suspend: both(suspend), resume: both(resume) };
}

/**
 * Prints a table of replay in a warm process and container, and of checkpoints, each compared with the first
 * row.
 */
export async function overhead(docker: boolean): Promise<void> {
  const rows: Figures[] = [];
  const scenes: { how: string; executor: "process" | "docker"; runs: number; env: Record<string, string> }[] =
    [{ how: "replay, process", executor: "process", runs: 20, env: {} }];
  if (docker) {
    scenes.push(
      { how: "replay, container", executor: "docker", runs: 10, env: { ACME_HOST_CHECKPOINTS: "off" } },
      { how: "checkpoint, container", executor: "docker", runs: 10, env: {} },
    );
  }
  for (const { env, executor, how, runs } of scenes) {
    const platform = await startPlatform(executor, env);
    try {
      rows.push(await measure(platform, how, runs));
    } finally {
      await platform.stop();
    }
  }
  const first = rows[0] as Figures;
  const shown = (value: number, base: number): string =>
    `${value.toFixed(1).padStart(8)} ms (${(value / base).toFixed(1)}×)`;
  console.log("| resumed by | runs | suspended after, p50 | p99 | resumed late by, p50 | p99 |");
  console.log("|---|---|---|---|---|---|");
  for (const { how, resume, runs, suspend } of rows) {
    const cells = [
      shown(suspend[0], first.suspend[0]),
      shown(suspend[1], first.suspend[1]),
      shown(resume[0], first.resume[0]),
      shown(resume[1], first.resume[1]),
    ];
    console.log(`| ${how} | ${runs} | ${cells.join(" | ")} |`);
  }
}
