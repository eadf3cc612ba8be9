/** The part of a trace's time that is in sight, in milliseconds since the epoch. */
export interface TimeWindow {
  from: number;
  to: number;
}

/** The visible window is never longer than the trace, nor shorter than this. */
const LEAST_MS = 1;

/** Clamps a window to the trace; null: all of it is visible. */
export function within(window: TimeWindow, all: TimeWindow): TimeWindow | null {
  const length = Math.max(LEAST_MS, Math.min(window.to - window.from, all.to - all.from));
  if (length >= all.to - all.from) return null;
  const from = Math.min(Math.max(window.from, all.from), all.to - length);
  return { from, to: from + length };
}

/** Zooms around the time `around`, which keeps its place. `factor` below 1 shows less. */
export function zoomed(
  current: TimeWindow | null,
  all: TimeWindow,
  factor: number,
  around: number,
): TimeWindow | null {
  const { from, to } = current ?? all;
  const at = Math.min(Math.max(around, from), to);
  return within({ from: at - (at - from) * factor, to: at + (to - at) * factor }, all);
}

/** Moves the window by a share of its length. */
export function panned(current: TimeWindow | null, all: TimeWindow, share: number): TimeWindow | null {
  if (!current) return null;
  const by = (current.to - current.from) * share;
  const clamped = Math.min(Math.max(by, all.from - current.from), all.to - current.to);
  return within({ from: current.from + clamped, to: current.to + clamped }, all);
}

/** A span with some room at both sides. */
export function fitted(span: TimeWindow, all: TimeWindow): TimeWindow | null {
  const margin = Math.max(LEAST_MS, (span.to - span.from) * 0.1);
  return within({ from: span.from - margin, to: span.to + margin }, all);
}

/** As the address holds it: `FROM-TO` in milliseconds since the trace's start. */
export const windowText = (window: TimeWindow | null, start: number): string | null =>
  window && `${Math.round(window.from - start)}-${Math.round(window.to - start)}`;

export function windowOf(text: string | null, all: TimeWindow): TimeWindow | null {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? "");
  if (!match) return null;
  const [from, to] = [all.from + Number(match[1]), all.from + Number(match[2])];
  return to > from && from < all.to ? within({ from, to }, all) : null;
}
