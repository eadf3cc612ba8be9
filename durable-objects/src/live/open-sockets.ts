import { vitals } from "../lib/vitals.ts";

/**
 * Sockets of all LiveObjects of this process, by environment. They are counted together because on one machine they share
 * the file descriptors of one process; a hibernating object keeps its sockets.
 */
const open = new Map<string, number>();

export function socketsOpen(environmentKey: string, count: number): void {
  if (count === 0) open.delete(environmentKey);
  else open.set(environmentKey, count);
  vitals.sockets = allSocketsOpen();
}

export function allSocketsOpen(): number {
  let sum = 0;
  for (const count of open.values()) sum += count;
  return sum;
}
