import type { HostNotice, MachinePreset, RetryOptions, RunStatus } from "@acme/sdk/contract";
import type { Meta, Sql, SqlRow } from "../lib/sql.ts";
import type { DeploymentRef, QueueRef } from "../routing/refs.ts";
import type { StoredSettings } from "../routing/settings.ts";
import type { KeyCounters } from "./counters.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { QueueSettings } from "./rpc.ts";

/** The parts of a run by which no statement selects: one JSON column. */
export interface RunSpec {
  machine: MachinePreset;
  maxAttempts?: number;
  retry?: RetryOptions;
  maxDuration?: number;
  priorityMs: number;
  ttlMs?: number;
  idempotency?: { key: string; expiresAt: number; userKey?: string; scope?: string };
  isTest: boolean;
  parentRunId?: string;
  rootRunId?: string;
  depth: number;
  waitDepth?: number;
  batchId?: string;
  traceparent?: string;
  replayedFrom?: string;
  /** Bulk actions that made the run as a copy of another, or canceled it. */
  bulkActions?: string[];
  scheduleId?: string;
}

/** A row of `runs`. */
export interface RunTableRow extends SqlRow {
  seq: number;
  id: string;
  task: string;
  status: RunStatus;
  slot: number;
  concurrency_key: string;
  limits: string;
  order_at: number;
  due_at: number | null;
  ttl_at: number | null;
  token: number;
  done_token: number;
  attempt: number;
  losses: number;
  host_id: string | null;
  session_id: string | null;
  deployment_id: string | null;
  version: number;
  created_at: number;
  queued_at: number | null;
  delay_until: number | null;
  started_at: number | null;
  attempt_started_at: number | null;
  completed_at: number | null;
  updated_at: number;
  usage_ms: number;
  usage_before_ms: number;
  tags: string;
  error_message: string | null;
  spec: string;
  journal_attempt: number;
  checkpoint: string | null;
  waited: number;
  kept_until: number;
}

/** The work that follows once a commit is durable. */
export interface Effects {
  /** True: some row changed, so the query side and the environment must be informed. */
  changed: boolean;
  /** Runs that became final. */
  finished: string[];
  /** True: messages to other objects were added. */
  messages: boolean;
  notices: { sessionId: string; notice: HostNotice }[];
  /** The earliest moment a changed row is due. */
  dueAt: number | null;
  /** When a rate limit allows more starts; null: no rate limit holds anything back. */
  refillAt: number | null;
}

export interface QueueTimeouts {
  dequeuedLeaseMs: number;
  executingLeaseMs: number;
  cancelLeaseMs: number;
  maxHostLosses: number;
  retentionMs: number;
}

/** What the functions of the queue's core work on. `now` and `version` are those of the current commit. */
export interface QueueContext {
  readonly sql: Sql;
  readonly meta: Meta;
  readonly counters: KeyCounters;
  readonly metrics: QueueMetrics;
  readonly random: () => number;
  readonly timeouts: QueueTimeouts;
  ref: QueueRef;
  stored: StoredSettings;
  /** The effective settings of `stored`. */
  settings: QueueSettings;
  /** Tasks of triggered runs that no deployment has contained yet. */
  unknownTasks: ReadonlySet<string>;
  /** A cache of the deployments that runs of this queue are locked to. A deployment never changes. */
  readonly deployments: Map<string, DeploymentRef>;
  now: number;
  version: number;
  effects: Effects;
  /** The host whose report is being applied (see `reportedBy`); null outside of a report. */
  reporter: { hostId: string; sessionId: string } | null;
}

export const noEffects = (): Effects => ({
  changed: false,
  finished: [],
  messages: false,
  notices: [],
  dueAt: null,
  refillAt: null,
});

export function due(q: QueueContext, at: number): number {
  if (q.effects.dueAt === null || at < q.effects.dueAt) q.effects.dueAt = at;
  return at;
}

export const findRun = (q: QueueContext, runId: string): RunTableRow | undefined =>
  q.sql.exec<RunTableRow>("SELECT * FROM runs WHERE id = ?", runId)[0];

export const specOf = (run: RunTableRow): RunSpec => JSON.parse(run.spec) as RunSpec;

/** Adds an entry to a run's timeline. Its columns and attempts give the other entries. */
export function addEvent(
  q: QueueContext,
  seq: number,
  type: string,
  message: string,
  data?: Record<string, unknown>,
  time = q.now,
): void {
  q.sql.exec(
    `INSERT INTO events (seq, ordinal, time, type, message, data)
     VALUES (?1, (SELECT coalesce(max(ordinal), 0) + 1 FROM events WHERE seq = ?1), ?2, ?3, ?4, ?5)`,
    seq,
    time,
    type,
    message,
    data ? JSON.stringify(data) : null,
  );
}
