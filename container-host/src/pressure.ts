import { readFileSync } from "node:fs";
import { availableParallelism, freemem, loadavg, totalmem } from "node:os";

export interface Pressure {
  /** Share of the memory that is available, 0 to 1. */
  memoryAvailable: number;
  /** Runnable processes per core. */
  loadPerCore: number;
}

/** Shares of available memory above which runs are taken without limit, and below which none are. */
const MEMORY = { easy: 0.15, none: 0.05 };
const LOAD = { easy: 5, most: 20 };
/**
 * The minimum share: some runs are taken however busy the processors are, because they have to run somewhere.
 */
const LEAST = 0.1;

/** Returns the share of the usual room that a machine under pressure still offers, 0 to 1. */
export function roomFactor({ memoryAvailable, loadPerCore }: Pressure): number {
  const memory = clamp((memoryAvailable - MEMORY.none) / (MEMORY.easy - MEMORY.none), 0, 1);
  const load = clamp(1 - (loadPerCore - LOAD.easy) / (LOAD.most - LOAD.easy), LEAST, 1);
  return memory * load;
}

export const readPressure = (): Pressure => ({
  memoryAvailable: availableMemory() / totalmem(),
  loadPerCore: (loadavg()[0] ?? 0) / availableParallelism(),
});

/** `freemem` counts caches as used, although they can be reclaimed. Linux has a better figure. */
function availableMemory(): number {
  if (process.platform !== "linux") return freemem();
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return kilobytes ? Number(kilobytes) * 1024 : freemem();
}

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));
