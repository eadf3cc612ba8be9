const DEFAULT_DAYS = 30;
/** Each number of days has its own partitions, so only a few are possible: others are rounded up. */
export const RETENTION_DAYS = [1, 3, 7, 14, 30, 60, 90, 180, 365, 730] as const;
const MOST_DAYS = 730;

export interface Retention {
  days: number;
  /** Exceptions by organization slug. */
  ofOrganizations: ReadonlyMap<string, number>;
}

/**
 * Parses `DAYS[,ORGANIZATION=DAYS…]`, such as `30,acme=365`: the default retention, and exceptions for
 * organizations.
 */
export function parseRetention(text: string | undefined): Retention | { problem: string } {
  let days = DEFAULT_DAYS;
  const ofOrganizations = new Map<string, number>();
  for (const part of text ? text.split(",") : []) {
    const [, slug, number] = /^(?:([a-z0-9-]{1,64})=)?(\d{1,3})$/.exec(part.trim()) ?? [];
    const stored = storedDays(Number(number));
    if (number === undefined || stored === undefined)
      return {
        problem: `TELEMETRY_RETENTION_DAYS has "${part.slice(0, 100)}": give DAYS or ORGANIZATION=DAYS, from 1 to ${MOST_DAYS} days.`,
      };
    if (slug === undefined) days = stored;
    else ofOrganizations.set(slug, stored);
  }
  return { days, ofOrganizations };
}

/** Rounds up to a possible number of days; returns undefined if it is too large. */
const storedDays = (days: number): number | undefined =>
  days < 1 ? undefined : RETENTION_DAYS.find((known) => known >= days);
