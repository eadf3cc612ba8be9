/** The time that a page shows: back from now, or between two moments. */
export interface Period {
  /** Such as `24h`; null: `from` and `to` count. */
  period: string | null;
  from?: number;
  to?: number;
}

export const PERIODS = ["1h", "6h", "24h", "7d", "30d"] as const;

export function parsePeriod(query: Pick<URLSearchParams, "get">, fallback: string): Period {
  const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
  if (Number.isFinite(from) && Number.isFinite(to) && from > 0 && to > from && to < 8.64e15)
    return { period: null, from, to };
  const period = query.get("period");
  return { period: period && /^\d{1,4}[mhdw]$/.test(period) ? period : fallback };
}

/** As the address and the API have it. */
export function periodQuery({ period, from, to }: Period): Record<string, string | undefined> {
  return period === null
    ? { from: new Date(from ?? 0).toISOString(), to: new Date(to ?? 0).toISOString() }
    : { period };
}
