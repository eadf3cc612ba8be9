import { RunStatus } from "@acme/sdk/contract";
import { findRun, type QueueContext, type RunTableRow } from "./context.ts";

export type Lease = { runId: string; token: number };
export type Held =
  | { verdict: "held"; run: RunTableRow }
  | { verdict: "canceled"; run: RunTableRow }
  | { verdict: "ok" }
  | { verdict: "stale" };

/** Applies a host's report. A lease belongs to one host session: what another session reports about it is stale. */
export function reportedBy<T>(
  q: QueueContext,
  { hostId, sessionId }: { hostId: string; sessionId: string },
  work: () => T,
): T {
  q.reporter = { hostId, sessionId };
  try {
    return work();
  } finally {
    q.reporter = null;
  }
}

/** Checks a lease. "ok" means that its end is recorded already: a repeated report changes nothing. */
export function checkLease(q: QueueContext, lease: Lease): Held {
  const run = findRun(q, lease.runId);
  if (!run || run.token !== lease.token) return { verdict: "stale" };
  if (q.reporter && (run.session_id !== q.reporter.sessionId || run.host_id !== q.reporter.hostId))
    return { verdict: "stale" };
  if (run.done_token === lease.token) return { verdict: "ok" };
  if (run.slot === 0) return { verdict: "stale" };
  return { run, verdict: run.status === RunStatus.CANCELED ? "canceled" : "held" };
}
