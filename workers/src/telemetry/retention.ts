import type { Bindings } from "../bindings.ts";
import { openRepository } from "../storage/open.ts";
import { parseRetention, type Retention } from "./retention-days.ts";

/** An environment never changes its organization. */
const organizations = new Map<string, string>();
const MAX_ENVIRONMENTS = 10_000;

let parsed: { text: string | undefined; retention: Retention } | undefined;

function retentionOf(text: string | undefined): Retention {
  if (parsed?.text !== text || !parsed) {
    const retention = parseRetention(text);
    // A server with an invalid setting answers no request (auth/configuration.ts), but its objects continue.
    if ("problem" in retention) throw new Error(retention.problem);
    parsed = { text, retention };
  }
  return parsed.retention;
}

/** Returns for how many days rows of an environment are kept: the retention of its organization. */
export async function retentionDaysOf(env: Bindings, environment: string): Promise<number> {
  const { days, ofOrganizations } = retentionOf(env.TELEMETRY_RETENTION_DAYS);
  if (ofOrganizations.size === 0) return days;
  let slug = organizations.get(environment);
  if (slug === undefined) {
    slug = (await openRepository(env).findEnvironmentByKey(environment))?.organization.slug;
    if (slug === undefined) return days;
    if (organizations.size >= MAX_ENVIRONMENTS) organizations.clear();
    organizations.set(environment, slug);
  }
  return ofOrganizations.get(slug) ?? days;
}
