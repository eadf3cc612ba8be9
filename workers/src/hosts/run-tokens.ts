import { DEFAULTS, parseRunId } from "@acme/sdk/contract";
import { type SigningBindings, signerOf } from "../auth/signing.ts";
import { RunClaims } from "../auth/tokens.ts";
import { EndedLeases } from "./ended-leases.ts";

/** A lease that was handed to a host: an attempt of a run until its end, its suspension or the loss of the host. */
export interface RunLease {
  runId: string;
  /** The lease's fencing token. */
  token: number;
}

/**
 * A token is renewed with each heartbeat (every 30 s) and outlives the lease, which the queue ends without heartbeats, by a
 * minute at most.
 */
const LIFETIME_MS = DEFAULTS.executingLeaseMs + 60_000;
/** Logs may arrive late after an outage of the server; they carry the last token of their lease. */
const LOGS_LATE_MS = 3_600_000;

/**
 * Leases whose end this isolate recorded, until their tokens have expired: their code is refused at once. Elsewhere it is
 * refused by the run's owner, where that is asked anyway, and by the token's expiry.
 */
const ended = new EndedLeases(LIFETIME_MS, 25_000);

/** Issues the token with which code inside the run calls the API while the lease lasts. */
export function issueRunToken(
  env: SigningBindings,
  hostId: string,
  lease: RunLease,
  now = Date.now(),
): string {
  const claims: RunClaims = {
    kind: "run",
    env: parseRunId(lease.runId)?.environmentKey ?? "",
    run: lease.runId,
    lease: lease.token,
    host: hostId,
    exp: Math.floor((now + LIFETIME_MS) / 1_000),
  };
  return signerOf(env).issueJwt(claims);
}

export const markEnded = (lease: RunLease): void => ended.add(lease, Date.now());

export const hasEnded = (lease: RunLease): boolean => ended.has(lease);

/** Returns whether the token proves that the host holds, or recently held, this run. */
export function provesLease(
  env: SigningBindings,
  token: string | undefined,
  lease: { hostId: string; runId: string },
): boolean {
  const claims = claimsOf(env, token);
  return claims?.host === lease.hostId && claims.run === lease.runId;
}

/** Returns whether the token proves that the host holds, or recently held, a run of this environment. */
export function provesEnvironment(
  env: SigningBindings,
  token: string | undefined,
  { hostId, environmentKey }: { hostId: string; environmentKey: string },
): boolean {
  const claims = claimsOf(env, token);
  return claims?.host === hostId && claims.env === environmentKey;
}

function claimsOf(env: SigningBindings, token: string | undefined): RunClaims | null {
  if (token === undefined) return null;
  const now = Date.now();
  const claims = RunClaims.safeParse(signerOf(env).verifyJwt(token, now));
  return claims.success && claims.data.exp * 1_000 + LOGS_LATE_MS > now ? claims.data : null;
}
