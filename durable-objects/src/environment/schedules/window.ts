import { createHash } from "node:crypto";
import { parseScheduleWindow } from "@acme/sdk/contract";

const PHASES = 2 ** 31;

/**
 * Where in its window a schedule lies, from 0 to 1: a hash of who it is, so that it stays there however often it is
 * changed, deployed or looked at, and schedules of one pattern lie spread evenly.
 */
export function phaseOf(environmentKey: string, identity: string): number {
  const digest = createHash("sha256").update(`schedule window\n${environmentKey}\n${identity}`).digest();
  return (digest.readUInt32BE(0) % PHASES) / PHASES;
}

/**
 * When the run of a tick is due: the tick, plus the schedule's share of its window. The window is never wider than the
 * time to the next tick (null: there is none), so runs stay in the order of their ticks.
 */
export function dueAt(tick: number, next: number | null, window: string | null, phase: number): number {
  if (window === null) return tick;
  const parsed = parseScheduleWindow(window);
  if (parsed === null) return tick;
  const interval = next === null ? Number.POSITIVE_INFINITY : next - tick;
  const wide = "ms" in parsed ? parsed.ms : Number.isFinite(interval) ? (interval * parsed.percent) / 100 : 0;
  return tick + Math.floor(phase * Math.min(wide, interval));
}
