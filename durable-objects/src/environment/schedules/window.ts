import { createHash } from "node:crypto";
import { parseScheduleWindow } from "@acme/sdk/contract";

const PHASES = 2 ** 31;

/**
 * Returns the position of a schedule in its window, from 0 to 1. It is a hash of the schedule's identity, so
 * it never changes, and schedules of one pattern are spread evenly.
 */
export function phaseOf(environmentKey: string, identity: string): number {
  const digest = createHash("sha256").update(`schedule window\n${environmentKey}\n${identity}`).digest();
  return (digest.readUInt32BE(0) % PHASES) / PHASES;
}

/**
 * Returns when the run of a tick is due: the tick, plus the schedule's share of its window. The window is
 * never wider than the time to the next tick (null: there is none), so runs keep the order of their ticks.
 */
export function dueAt(tick: number, next: number | null, window: string | null, phase: number): number {
  if (window === null) return tick;
  const parsed = parseScheduleWindow(window);
  if (parsed === null) return tick;
  const interval = next === null ? Number.POSITIVE_INFINITY : next - tick;
  const wide = "ms" in parsed ? parsed.ms : Number.isFinite(interval) ? (interval * parsed.percent) / 100 : 0;
  return tick + Math.floor(phase * Math.min(wide, interval));
}
