import { RunStatus } from "@acme/sdk/contract";
import { findRun, type QueueContext, type RunTableRow } from "./context.ts";

export type Lease = { runId: string; token: number };
export type Held =
  | { verdict: "held"; run: RunTableRow }
  | { verdict: "canceled"; run: RunTableRow }
  | { verdict: "ok" }
  | { verdict: "stale" };

/** What a lease still means: "ok" when its end is recorded already, so that a repeated report changes nothing. */
export function checkLease(q: QueueContext, lease: Lease): Held {
  const run = findRun(q, lease.runId);
  if (!run || run.token !== lease.token) return { verdict: "stale" };
  if (run.done_token === lease.token) return { verdict: "ok" };
  if (run.slot === 0) return { verdict: "stale" };
  return { run, verdict: run.status === RunStatus.CANCELED ? "canceled" : "held" };
}
