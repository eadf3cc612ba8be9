import type { Bindings } from "../bindings.ts";
import { parseRetentionDays } from "./retention-days.ts";

/** For how many days rows of an environment are kept. */
export async function retentionDaysOf(env: Bindings, _environment: string): Promise<number> {
  const days = parseRetentionDays(env.TELEMETRY_RETENTION_DAYS);
  // A server whose setting is wrong answers no request (auth/configuration.ts).
  return typeof days === "number" ? days : 30;
}
