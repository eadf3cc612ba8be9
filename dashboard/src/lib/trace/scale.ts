/** A stretch of time that is drawn as a break of fixed width. */
export interface Cut {
  from: number;
  to: number;
}

interface Piece {
  from: number;
  to: number;
  left: number;
  right: number;
  cut: boolean;
}

/** Width of a break, in pixels. */
export const CUT_PX = 44;
/** Waits are cut out if they would take more than this share of the axis. */
const CUT_SHARE = 0.3;

/** Converts time to pixels and back: piecewise linear, with a break for each cut. */
export class TimeScale {
  readonly pieces: readonly Piece[];

  constructor(
    readonly from: number,
    readonly to: number,
    readonly width: number,
    cuts: readonly Cut[] = [],
  ) {
    const inside = merged(cuts, from, to);
    const cutTime = inside.reduce((sum, cut) => sum + cut.to - cut.from, 0);
    const total = Math.max(1, to - from);
    const used =
      cutTime / total > CUT_SHARE && inside.length * CUT_PX < width * 0.7 && cutTime < total ? inside : [];
    const kept = Math.max(1, total - used.reduce((sum, cut) => sum + cut.to - cut.from, 0));
    const perMs = Math.max(0, width - used.length * CUT_PX) / kept;
    const pieces: Piece[] = [];
    let time = from;
    let left = 0;
    const add = (until: number, cut: boolean) => {
      if (until <= time && !cut) return;
      const right = left + (cut ? CUT_PX : (until - time) * perMs);
      pieces.push({ from: time, to: until, left, right, cut });
      time = until;
      left = right;
    };
    for (const cut of used) {
      add(cut.from, false);
      add(cut.to, true);
    }
    add(Math.max(to, from + 1), false);
    this.pieces = pieces;
  }

  get cuts(): readonly Piece[] {
    return this.pieces.filter(({ cut }) => cut);
  }

  /** Pixels from the left edge; times beyond an edge are on it. */
  project(time: number): number {
    const { pieces } = this;
    if (time <= this.from || pieces.length === 0) return 0;
    let low = 0;
    let high = pieces.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pieces[middle]!.to < time) low = middle + 1;
      else high = middle;
    }
    const piece = pieces[low]!;
    const share = Math.min(1, (time - piece.from) / Math.max(1, piece.to - piece.from));
    return piece.left + share * (piece.right - piece.left);
  }

  unproject(px: number): number {
    const piece = this.pieces.find(({ right }) => px <= right) ?? this.pieces.at(-1);
    if (!piece) return this.from;
    const share = Math.max(0, px - piece.left) / Math.max(1e-9, piece.right - piece.left);
    return piece.from + Math.min(1, share) * (piece.to - piece.from);
  }
}

function merged(cuts: readonly Cut[], from: number, to: number): Cut[] {
  const sorted = cuts
    .map((cut) => ({ from: Math.max(from, cut.from), to: Math.min(to, cut.to) }))
    .filter((cut) => cut.to > cut.from)
    .sort((a, b) => a.from - b.from);
  const result: Cut[] = [];
  for (const cut of sorted) {
    const last = result.at(-1);
    if (last && cut.from <= last.to) last.to = Math.max(last.to, cut.to);
    else result.push(cut);
  }
  return result;
}

const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
  600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000, 43_200_000, 86_400_000,
  172_800_000, 604_800_000,
];

/** Room that a tick's label takes. */
const LABEL_PX = 32;

export interface Tick {
  px: number;
  /** Milliseconds since the origin: the scale's start, unless it shows a part of a trace. */
  offset: number;
}

/** Ticks about 100 px apart at round offsets from the start; none inside a break. */
export function ticksOf(scale: TimeScale, target = 110, origin = scale.from): Tick[] {
  const linear = scale.pieces.filter(({ cut }) => !cut);
  const px = linear.reduce((sum, { left, right }) => sum + right - left, 0);
  const ms = linear.reduce((sum, { from, to }) => sum + to - from, 0);
  if (px <= 0 || ms <= 0) return [];
  const wanted = (ms / px) * target;
  const step =
    STEPS.find((candidate) => candidate >= wanted) ?? Math.ceil(wanted / 604_800_000) * 604_800_000;
  const ticks: Tick[] = [];
  let lastPx = Number.NEGATIVE_INFINITY;
  for (const piece of linear) {
    for (
      let offset = Math.ceil((piece.from - origin) / step) * step;
      offset <= piece.to - origin;
      offset += step
    ) {
      const at = scale.project(origin + offset);
      const covered = scale.cuts.some(({ left }) => left > at && left < at + LABEL_PX);
      if (at - lastPx < target / 2 || at > scale.width - LABEL_PX || covered) continue;
      ticks.push({ px: at, offset });
      lastPx = at;
    }
  }
  return ticks;
}
