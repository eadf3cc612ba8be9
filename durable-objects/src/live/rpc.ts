import type { RunStatus } from "@acme/sdk/contract";
import type { LiveFilter, LiveLogLine, LiveSkipColumn, RunSummary } from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import type { RunRecord, RunRow } from "../rpc.ts";

/**
 * The changes of a queue that somebody watches. A queue uses the interest with the highest `at`. An interest
 * older than `forMs` counts as unknown, and the queue asks before it concludes that nobody listens.
 */
export interface LiveInterest {
  /** Grows with each interest that an environment's LiveObject gives, also across its restarts. */
  at: number;
  /**
   * Names the life of the LiveObject, which ends when it is evicted. A later life does not have what an
   * earlier one was sent.
   */
  life: string;
  /** True: all runs of the queue. */
  all: boolean;
  /** If not all: these runs. */
  runs: string[];
  /** Milliseconds for which a queue sends nothing, except changes of `runs`, and does not ask. */
  forMs: number;
}

/** One object per environment, named by the environment's key. It has the watchers and the latest changes. */
export interface LiveRpc {
  /**
   * From a QueueObject: the latest state of changed rows, or no rows if it only asks for the interest.
   * Delivered at least once; idempotent. `life` is that of the interest that the queue uses. Another life
   * accepts no rows, because they may be older than what it was sent.
   */
  runsChanged(queueKey: string, rows: RunRow[], life: string | null): Promise<LiveInterest>;
  /**
   * From a FeedObject: lines were appended to a run's log. `previous`: the sequence number before the first
   * of them. Returns false if nobody watches any more.
   */
  logsAppended(runId: string, previous: number, lines: LiveLogLine[]): Promise<boolean>;
  /**
   * From a FeedObject: records were appended to a stream. `previous`: the number before the first of them. Without
   * records, those up to `previous` are to be read from the feed. Returns false if nobody watches any more.
   */
  streamAppended(runId: string, key: string, previous: number, records: StreamRecord[]): Promise<boolean>;
  /**
   * From the Worker, for polling clients: returns the run as soon as its version is higher than `after`; null
   * if that does not happen within `waitMs`.
   */
  waitForRun(runId: string, after: number, waitMs: number): Promise<RunRecord | "missing" | null>;
  /**
   * Does the same for a list: returns the newest matching runs, or, given a position, the runs that changed
   * since; none after `waitMs`. At most `limit`.
   */
  waitForRuns(filter: LiveFilter, limit: number, position: string | null, waitMs: number): Promise<RunsPage>;
}

/** Runs of a list with all their data. */
export interface RunsPage {
  /** The position to send with the next request, to get later changes. */
  position: string;
  runs: RunRecord[];
  /** True: all runs of the list. False: only those that changed. */
  whole: boolean;
}

/**
 * The principal of a connection, and what it may read. It is stored in the socket's attachment, so it has to
 * be small.
 */
export interface LivePrincipal {
  environment: { key: string; id: string; slug: string };
  /** Scopes of a public token; null: everything in the environment may be read. */
  scopes: string[] | null;
  /** Milliseconds since the epoch; null: it doesn't expire. */
  expiresAt: number | null;
  /** The fields of runs that a public token does not show. Absent: each subscription decides. */
  skipColumns?: LiveSkipColumn[];
  /** What the Worker checks again from time to time: a hash of the key or access token, or the session. */
  proof: string;
}

/** Why something is refused, as the HTTP API would answer. */
export interface LiveFailure {
  error: { status: number; code: string; message: string };
}

/** What the LiveObject needs from the Worker: the query side, the public view of a run, and authentication. */
export interface LiveDependencies<Env> {
  /** Returns the newest matching runs, newest first. */
  listRuns(
    env: Env,
    environmentKey: string,
    filter: LiveFilter,
    limit: number,
  ): Promise<{ runs: RunRow[]; more: boolean }>;
  /** Returns the numbers of unfinished runs by status. */
  countUnfinished(env: Env, environmentKey: string): Promise<Partial<Record<RunStatus, number>>>;
  summaryOf(run: RunRow): RunSummary;
  /** Sockets that may be open at the same time: of an environment, and of all environments in this process. */
  mostSockets(env: Env): { each: number; all: number };
  authenticate(env: Env, token: string): Promise<LivePrincipal | LiveFailure>;
  /** Returns false if the key was revoked, or the session or the membership has ended. */
  isValid(env: Env, principal: LivePrincipal): Promise<boolean>;
}
