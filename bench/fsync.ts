import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { load } from "./load.ts";
import type { Payload, System } from "./systems/system.ts";

const CALLS = ["fsync", "fdatasync", "sync_file_range", "msync"];
const TRIGGERS = 500;

export interface Flushes {
  /** Calls that flush a file to disk, per trigger, with `clients` clients. */
  perTrigger: { clients: number; flushes: number }[];
  /** Which calls, for example `fdatasync`. */
  calls: string[];
}

export const hasStrace = (): boolean => spawnSync("strace", ["-V"]).status === 0;

/**
 * Counts, with strace, how often the system's server flushes to disk while it accepts triggers (and executes
 * the runs).
 */
export async function countFlushes(
  system: Pick<System, "serverPids"> & { trigger(payload: Payload): Promise<unknown> },
): Promise<Flushes> {
  const perTrigger: Flushes["perTrigger"] = [];
  const seen = new Set<string>();
  for (const clients of [1, 32]) {
    const counted = await traced(system.serverPids(), () =>
      load(clients, TRIGGERS, (i) => system.trigger({ i })),
    );
    for (const call of counted.keys()) seen.add(call);
    const flushes = [...counted.values()].reduce((sum, n) => sum + n, 0) / TRIGGERS;
    perTrigger.push({ clients, flushes });
  }
  return { perTrigger, calls: [...seen] };
}

async function traced(pids: number[], work: () => Promise<unknown>): Promise<Map<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "bench-strace-"));
  const file = join(folder, "calls");
  try {
    const strace = spawn("strace", [
      ...["-f", "-qq", "-e", `trace=${CALLS.join(",")}`, "-e", "signal=none", "-o", file],
      ...pids.flatMap((pid) => ["-p", String(pid)]),
    ]);
    const ended = new Promise<void>((resolve) => strace.once("exit", () => resolve()));
    await untilTraced(pids);
    await work();
    strace.kill("SIGINT");
    await ended;
    const counted = new Map<string, number>();
    for (const [, call] of readFileSync(file, "utf8").matchAll(/^\d+\s+(\w+)\(/gm))
      counted.set(call!, (counted.get(call!) ?? 0) + 1);
    return counted;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The kernel names a process's tracer once strace has attached. */
async function untilTraced(pids: number[]): Promise<void> {
  for (const pid of pids) {
    for (let tries = 0; /^TracerPid:\s+0$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")); tries++) {
      if (tries > 200)
        throw new Error(`strace could not attach to process ${pid}: run the bench as its owner or root.`);
      await sleep(20);
    }
  }
}
