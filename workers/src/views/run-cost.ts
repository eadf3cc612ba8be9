import { env } from "cloudflare:workers";
import { MACHINE_PRESETS } from "@acme/sdk/contract";
import { z } from "zod";

/** US cents per second on each machine, and per started run (`run`). Absent entries cost nothing. */
const PriceList = z.partialRecord(z.enum([...MACHINE_PRESETS, "run"]), z.number().min(0).max(1_000_000));
type PriceList = z.infer<typeof PriceList>;

/**
 * The list prices of Trigger.dev's cloud, so that costs can be compared. `MACHINE_PRICES` replaces them; `{}`
 * makes everything free.
 */
const DEFAULT_PRICES: PriceList = {
  micro: 0.00169,
  "small-1x": 0.00338,
  "small-2x": 0.00675,
  "medium-1x": 0.0085,
  "medium-2x": 0.017,
  "large-1x": 0.034,
  "large-2x": 0.068,
  run: 0.0025,
};

/** Parses a price list from JSON; without a text, returns the default one. `problem` says what is wrong with it. */
export function parsePrices(text: string | undefined): PriceList | { problem: string } {
  if (!text) return DEFAULT_PRICES;
  try {
    return PriceList.parse(JSON.parse(text));
  } catch {
    return {
      problem: `MACHINE_PRICES is not a JSON object of cents a second by machine (${MACHINE_PRESETS.join(", ")}) and of cents a run ("run").`,
    };
  }
}

let prices: PriceList | undefined;

function currentPrices(): PriceList {
  if (prices === undefined) {
    const parsed = parsePrices((env as { MACHINE_PRICES?: string }).MACHINE_PRICES);
    // A server with an invalid price list answers no request (auth/configuration.ts), so nobody sees this.
    prices = "problem" in parsed ? {} : (parsed as PriceList);
  }
  return prices;
}

/** Returns US cents per second on a machine, or per start of a run. */
export const priceOf = (what: keyof PriceList, list: PriceList = currentPrices()): number => list[what] ?? 0;

/** Returns what a run has cost so far, in US cents: its time on its machine, and its start. */
export function costOf(
  run: { machine: string; usageMs: number; startedAt: number | null },
  list: PriceList = currentPrices(),
): { costInCents: number; baseCostInCents: number } {
  const perSecond = list[run.machine as keyof PriceList] ?? 0;
  return {
    costInCents: (run.usageMs / 1000) * perSecond,
    baseCostInCents: run.startedAt === null ? 0 : (list.run ?? 0),
  };
}
