import { RUN_STATUS, RUN_STATUSES, RunStatus } from "@acme/sdk/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SqlRow } from "../src/lib/sql.ts";
import { findRun, type QueueContext, type RunTableRow } from "../src/queue/context.ts";
import { leaseRuns, succeedRun, transition } from "../src/queue/transition.ts";
import { type CoreScene, withCore } from "./core-scene.ts";

const NOW = 1_800_000_000_000;
const time = fc.integer({ min: NOW - 100_000, max: NOW });
const maybeTime = fc.option(time);

/** What a run may be like when it is leased, or ends. */
const columns = {
  order_at: time,
  ttl_at: maybeTime,
  due_at: maybeTime,
  token: fc.integer({ min: 1, max: 9 }),
  attempt: fc.integer({ min: 0, max: 3 }),
  losses: fc.integer({ min: 0, max: 3 }),
  created_at: time,
  queued_at: maybeTime,
  started_at: maybeTime,
  attempt_started_at: maybeTime,
  usage_ms: fc.integer({ min: 0, max: 1_000 }),
  usage_before_ms: fc.integer({ min: 0, max: 1_000 }),
  error_message: fc.option(fc.constant("the last attempt failed")),
  checkpoint: fc.option(fc.constant("{}")),
  deployment_id: fc.option(fc.constant("deployment_0")),
  kept_until: fc.oneof(fc.constant(0), fc.integer({ min: NOW, max: NOW + 10 ** 10 })),
};

class Undone extends Error {}

/** Runs `work` in a commit that is rolled back. Returns what it returned. */
function tried<T>(scene: CoreScene, work: (q: QueueContext) => T): T {
  let result: T | undefined;
  try {
    scene.commit((q) => {
      result = work(q);
      throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
  return result as T;
}

const set = (q: QueueContext, runId: string, values: Record<string, string | number | null>): void => {
  const names = Object.keys(values);
  q.sql.exec(
    `UPDATE runs SET ${names.map((name) => `${name} = ?`).join(", ")} WHERE id = ?`,
    ...Object.values(values),
    runId,
  );
};

/** Everything that a move of the run may change. */
const stateOf = (q: QueueContext, runId: string) => ({
  row: findRun(q, runId),
  pending: q.counters.pending,
  running: q.counters.running,
  ready: q.counters.ready,
  messages: q.sql.exec<SqlRow>("SELECT * FROM messages"),
  waiters: q.sql.exec<SqlRow>("SELECT * FROM waiters"),
  effects: { ...q.effects, dueAt: null },
});

describe("the moves of the hot path leave what `transition` leaves", () => {
  it("for a lease", () =>
    withCore((scene) => {
      scene.now = NOW;
      const { runId } = scene.trigger({ concurrencyKey: "key" });
      fc.assert(
        fc.property(fc.record(columns), (values) => {
          const both = [
            (q: QueueContext) => {
              leaseRuns(q, { hostId: "h", sessionId: "s", deploymentId: "d" }, [
                { key: "key", limits: "", count: 1 },
              ]);
            },
            (q: QueueContext, run: RunTableRow) =>
              transition(q, run, RunStatus.DEQUEUED, {
                token: run.token + 1,
                host_id: "h",
                session_id: "s",
                deployment_id: run.deployment_id ?? "d",
                due_at: q.now + q.timeouts.dequeuedLeaseMs,
              }),
          ].map((move) =>
            tried(scene, (q) => {
              set(q, runId, values);
              move(q, findRun(q, runId) as RunTableRow);
              return stateOf(q, runId);
            }),
          );
          expect(both[0]).toEqual(both[1]);
        }),
      );
    }));

  it("for a run that succeeds", () =>
    withCore((scene) => {
      scene.now = NOW;
      const waiter = { type: "operation" as const, runId: "run_parent", attempt: 1, number: 0 };
      const { runId } = scene.trigger({ concurrencyKey: "key", waiter });
      const token = scene.dequeue()[0]!.token;
      const report = fc.record({
        startedAt: fc.option(fc.integer({ min: NOW - 200_000, max: NOW + 100_000 })),
        usageMs: fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: undefined }),
      });
      const status = fc.constantFrom(RunStatus.DEQUEUED, RunStatus.EXECUTING);
      const journaled = fc.constantFrom(0, 1);
      fc.assert(
        fc.property(fc.record(columns), status, journaled, report, (values, status, journaled, report) => {
          const { ttl_at: _, ...rest } = values;
          const attempt = status === RunStatus.EXECUTING ? rest.attempt + 1 : rest.attempt;
          // A run that executes has started; its journal, and that of an attempt that resumes, is of this attempt.
          const started =
            status === RunStatus.EXECUTING ? { attempt_started_at: rest.attempt_started_at ?? NOW } : {};
          const journal_attempt = journaled * (rest.attempt + 1);
          const before = { ...rest, ...started, token, attempt, status, journal_attempt };
          const success = { runId, token, completedAt: NOW, ...report };
          const both = [
            (q: QueueContext) => {
              succeedRun(q, success, { data: null, type: "application/json" });
            },
            (q: QueueContext, run: RunTableRow) => {
              const at = Math.max(Math.min(report.startedAt ?? NOW, NOW), run.created_at);
              const begins = run.status === RunStatus.DEQUEUED;
              const resumes = run.journal_attempt === run.attempt + 1;
              transition(q, run, RunStatus.COMPLETED_SUCCESSFULLY, {
                attempt: run.attempt + (begins ? 1 : 0),
                started_at: run.started_at ?? at,
                attempt_started_at:
                  begins && !(resumes && run.attempt_started_at !== null) ? at : run.attempt_started_at,
                done_token: run.token,
                usage_ms: run.usage_ms + (report.usageMs ?? 0),
                error_message: null,
              });
            },
          ].map((move) =>
            tried(scene, (q) => {
              set(q, runId, before);
              move(q, findRun(q, runId) as RunTableRow);
              return stateOf(q, runId);
            }),
          );
          expect(both[0]).toEqual(both[1]);
          expect(both[0]?.row?.status).toBe("COMPLETED_SUCCESSFULLY");
          expect(both[0]?.messages).toHaveLength(1);
        }),
      );
    }));
});

it("a move that the table of states doesn't have is refused, and changes nothing", () =>
  withCore((scene) => {
    const { runId } = scene.trigger();
    const before = scene.run(runId);
    for (const to of RUN_STATUSES.filter((status) => !RUN_STATUS.PENDING.next.includes(status))) {
      expect(() => scene.commit((q) => transition(q, findRun(q, runId) as RunTableRow, to))).toThrow(
        `can't go from PENDING to ${to}`,
      );
    }
    expect(scene.run(runId)).toEqual(before);
  }));
