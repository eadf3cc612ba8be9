const DEFAULT_DAYS = 30;
/** Each number of days has partitions of its own, so there are not many numbers: others count as the next one. */
export const RETENTION_DAYS = [1, 3, 7, 14, 30, 60, 90, 180, 365, 730] as const;
const MOST_DAYS = 730;

export interface Retention {
  days: number;
  /** By slug: those that have another one. */
  ofOrganizations: ReadonlyMap<string, number>;
}

/** `DAYS[,ORGANIZATION=DAYS…]`, such as `30,acme=365`: the retention of all organizations, and of those that have another one. */
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

/** Never fewer than the number that was asked for; undefined: there is no such retention. */
const storedDays = (days: number): number | undefined =>
  days < 1 ? undefined : RETENTION_DAYS.find((known) => known >= days);
