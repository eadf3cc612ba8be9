import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { type DequeuedRun, HOST_PROTOCOL, type JournalEntry } from "@acme/sdk/contract";
import { until } from "../../tests/support/until.ts";
import { callAsHost } from "./client.ts";

const host = { protocol: HOST_PROTOCOL, hostId: "host-1", sessionId: "session-1" };

/** Runs that were leased while the test waited for another one. */
const others = new Map<string, DequeuedRun>();
const tokens = new Map<string, string>();

/** Waits until the run is leased to the host of the tests. */
export function dequeue(runId: string): Promise<DequeuedRun> {
  return until(
    async () => {
      const request = { ...host, max: 100, waitMs: 200 };
      const { body } = await callAsHost<{ runs: DequeuedRun[] }>("dequeue", request);
      for (const run of body.runs) {
        others.set(run.runId, run);
        tokens.set(run.runId, run.apiToken as string);
      }
      const run = others.get(runId);
      others.delete(runId);
      return run;
    },
    { timeout: 25_000 },
  );
}

export const report = (parts: Record<string, unknown>) =>
  callAsHost("report", { ...host, logs: [], ...parts });

/** Leases the run and starts its attempt. */
export async function start(runId: string): Promise<DequeuedRun> {
  const run = await dequeue(runId);
  await report({ started: [{ runId, token: run.token, startedAt: Date.now() }] });
  return run;
}

/** Leases the run and ends it with this output. */
export async function finish(runId: string, output = '"done"'): Promise<void> {
  const run = await start(runId);
  const outcome = { type: "success", output, outputType: "application/json" };
  await report({ completed: [{ runId, token: run.token, completedAt: Date.now(), outcome }] });
}

export async function journal(run: DequeuedRun, entries: JournalEntry[]): Promise<void> {
  const { runId, token, attempt } = run;
  await report({ journals: [{ runId, token, attempt, entries }] });
}

export async function suspend(run: DequeuedRun, waits: number[]): Promise<unknown> {
  const { runId, token } = run;
  const { body } = await report({ suspensions: [{ runId, token, waits }] });
  return (body as { suspensions: unknown[] }).suspensions[0];
}

/** The token with which code inside the run calls the API: that of the latest lease. */
export function runTokenOf(runId: string): string {
  const token = tokens.get(runId);
  if (token === undefined) throw new Error(`Run ${runId} was not dequeued`);
  return token;
}

/** Disconnects all hosts, as if none had connected yet, because all files share one dispatcher. */
export async function disconnectHosts(): Promise<void> {
  const dispatcher = env.DISPATCHER.getByName("default");
  await runInDurableObject(dispatcher, (_, { storage }) => {
    storage.sql.exec("DELETE FROM session_queues; DELETE FROM sessions");
  });
  await evictDurableObject(dispatcher);
}
