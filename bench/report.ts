import type { Flushes } from "./fsync.ts";
import type { Figures, Metric, Unit } from "./metrics/metric.ts";
import { median } from "./statistics.ts";

/** Rounds of one metric, by the system's name. */
export type Rounds = Map<string, Figures[]>;

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spreadOf(rounds: readonly Figures[], figure: string): Spread {
  const values = rounds.map((round) => round[figure]!);
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** CPU time a run took, of the server and of the processes that execute; all metrics have these. */
export const CPU_FIGURES: Record<string, Unit> = {
  cpuServer: { label: "CPU a run, server", unit: "ms", better: "less" },
  cpuWorkers: { label: "CPU a run, workers", unit: "ms", better: "less" },
};

/** How many times as good the first system is as the second: 2 is twice as fast, whichever way the figure counts. */
export const advantage = (unit: Unit, first: number, second: number): number =>
  unit.better === "more" ? first / second : second / first;

const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(2);

const cell = ({ median, min, max }: Spread, unit: string): string =>
  `${number(median)}${unit === "ms" ? " ms" : unit}  (${number(min)}–${number(max)})`;

export function table(
  results: readonly { metric: Metric; rounds: Rounds }[],
  names: readonly string[],
): string {
  const [first = "", ...others] = names;
  const rows = [["", ...names, ...(others.length > 0 ? [`${first} is better by`] : [])]];
  for (const { metric, rounds } of results) {
    rows.push([metric.title]);
    for (const [figure, unit] of Object.entries({ ...metric.figures, ...CPU_FIGURES })) {
      const spreads = names.map((name) => {
        const measured = rounds.get(name);
        return measured && spreadOf(measured, figure);
      });
      const [own, ...peers] = spreads.map((spread) => spread?.median);
      const ratios = peers.map((peer) =>
        own === undefined || peer === undefined ? "–" : `× ${advantage(unit, own, peer).toFixed(2)}`,
      );
      const cells = spreads.map((spread) => (spread ? cell(spread, unit.unit) : "–"));
      rows.push([`  ${unit.label}`, ...cells, ratios.join("  ")]);
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function flushesText(name: string, durability: string, flushes: Flushes | undefined): string {
  if (!flushes) return `${name}: ${durability}`;
  const counts = flushes.perTrigger.map(
    (c) => `${c.flushes.toFixed(2)} with ${c.clients} client${c.clients > 1 ? "s" : ""}`,
  );
  return `${name}: ${durability}\n  counted with strace (${flushes.calls.join(", ") || "none of them called"}), for each trigger and its run: ${counts.join(", ")}`;
}

/**
 * How far the figures can be trusted: other programs that used the processors slowed both systems, but not
 * evenly.
 */
export function othersText(results: readonly { rounds: Rounds }[]): string {
  const shares = results.flatMap(({ rounds }) =>
    [...rounds.values()].flat().map((figures) => figures.others!),
  );
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  return `other programs used ${percent(median(shares))} of the processors (${percent(Math.min(...shares))}–${percent(Math.max(...shares))} in a round)`;
}
