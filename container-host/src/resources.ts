/** Shares of a machine. `slots` counts runtimes. */
export interface Resources {
  slots: number;
  /** Cores. */
  cpu: number;
  /** Bytes. */
  memory: number;
}

export const NOTHING: Resources = { slots: 0, cpu: 0, memory: 0 };

export const plus = (a: Resources, b: Resources): Resources => ({
  slots: a.slots + b.slots,
  cpu: a.cpu + b.cpu,
  memory: a.memory + b.memory,
});

export const minus = (a: Resources, b: Resources): Resources => ({
  slots: a.slots - b.slots,
  cpu: a.cpu - b.cpu,
  memory: a.memory - b.memory,
});

/** Tolerance for rounding errors in sums of fractions of cores. */
const EPSILON = 1e-9;

/** Returns how many more of `each` fit into `capacity` in addition to `used`. */
export function roomFor(each: Resources, used: Resources, capacity: Resources): number {
  const free = minus(capacity, used);
  let room = Number.POSITIVE_INFINITY;
  for (const kind of ["slots", "cpu", "memory"] as const) {
    if (each[kind] > 0) room = Math.min(room, Math.floor(free[kind] / each[kind] + EPSILON));
  }
  return Math.max(0, room);
}
