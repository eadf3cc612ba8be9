import { env } from "cloudflare:workers";
import { MACHINE_PRESETS } from "@acme/sdk/contract";
import { z } from "zod";

/** US cents for a second on each machine, and for each run that started (`run`). What is absent costs nothing. */
const PriceList = z.partialRecord(z.enum([...MACHINE_PRESETS, "run"]), z.number().min(0).max(1_000_000));
type PriceList = z.infer<typeof PriceList>;

/**
 * The list prices of Trigger.dev's cloud, so that what a run shows there and here can be compared. `MACHINE_PRICES`
 * replaces them; `{}` makes everything free.
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
    // A server whose price list is wrong answers no request (auth/configuration.ts), so nobody is shown this.
    prices = "problem" in parsed ? {} : (parsed as PriceList);
  }
  return prices;
}

/** US cents for a second on a machine, or for the start of a run. */
export const priceOf = (what: keyof PriceList, list: PriceList = currentPrices()): number => list[what] ?? 0;

/** What a run has cost so far, in US cents: its time on its machine, and its start. */
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
