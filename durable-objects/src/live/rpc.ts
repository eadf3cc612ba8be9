import type { RunStatus } from "@acme/sdk/contract";
import type { LiveFilter, LiveLogLine, LiveSkipColumn, RunSummary } from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import type { RunRecord, RunRow } from "../rpc.ts";

/**
 * Which changes of a queue somebody watches. A queue keeps to the interest with the highest `at`; one that is older than
 * `forMs` counts as unknown, and the queue asks before it decides that nobody listens.
 */
export interface LiveInterest {
  /** Grows with each interest that an environment's LiveObject gives, also across its restarts. */
  at: number;
  /** Names the life of the LiveObject, which ends when it is evicted: a later one has not what an earlier one was sent. */
  life: string;
  /** All runs of the queue. */
  all: boolean;
  /** Where not all: these. */
  runs: string[];
  /** Milliseconds for which a queue that nobody listens to, but for `runs`, sends nothing and asks nothing. */
  forMs: number;
}

/** One object an environment, named by the environment's key: who watches, and what changed lately. */
export interface LiveRpc {
  /**
   * From a QueueObject: rows that changed, latest state only; none: it only asks. At least once, idempotent. `life`: that of
   * the interest which it keeps to. Another life takes no rows: they may be older than what it was sent.
   */
  runsChanged(queueKey: string, rows: RunRow[], life: string | null): Promise<LiveInterest>;
  /**
   * From a FeedObject: lines were appended to a run's log. `previous`: the sequence number before the first of them.
   * False: nobody watches any more.
   */
  logsAppended(runId: string, previous: number, lines: LiveLogLine[]): Promise<boolean>;
  /**
   * From a FeedObject: records were appended to a stream. `previous`: the number before the first of them. Without
   * records, those up to `previous` are to be read from the feed. False: nobody watches any more.
   */
  streamAppended(runId: string, key: string, previous: number, records: StreamRecord[]): Promise<boolean>;
  /**
   * From the Worker, for clients that poll: the run as soon as its version is higher than `after`. Null: it was not within
   * `waitMs`.
   */
  waitForRun(runId: string, after: number, waitMs: number): Promise<RunRecord | "missing" | null>;
  /**
   * The same for a list: the newest runs that match, or, for a position that a page had, those that changed since; none
   * after `waitMs`. At most `limit`.
   */
  waitForRuns(filter: LiveFilter, limit: number, position: string | null, waitMs: number): Promise<RunsPage>;
}

/** Runs of a list with all their data. */
export interface RunsPage {
  /** To be given back for what changes after this. */
  position: string;
  runs: RunRecord[];
  /** All runs of the list; false: those that changed. */
  whole: boolean;
}

/** Who opened a connection, and what that allows. It lies in the socket's attachment, so it is small. */
export interface LivePrincipal {
  environment: { key: string; id: string; slug: string };
  /** Scopes of a public token; null: everything in the environment may be read. */
  scopes: string[] | null;
  /** Milliseconds since the epoch; null: it doesn't expire. */
  expiresAt: number | null;
  /** What a public token does not show of runs; absent: its subscriptions say what they leave out. */
  skipColumns?: LiveSkipColumn[];
  /** What the Worker checks again now and then: a hash of the key or access token, or the session. */
  proof: string;
}

/** Why something is refused: what the HTTP API would answer. */
export interface LiveFailure {
  error: { status: number; code: string; message: string };
}

/** What the LiveObject needs from the Worker: the query side, the public view of a run, and authentication. */
export interface LiveDependencies<Env> {
  /** The newest runs that match, newest first. */
  listRuns(
    env: Env,
    environmentKey: string,
    filter: LiveFilter,
    limit: number,
  ): Promise<{ runs: RunRow[]; more: boolean }>;
  /** Runs that are not over, by status. */
  countUnfinished(env: Env, environmentKey: string): Promise<Partial<Record<RunStatus, number>>>;
  summaryOf(run: RunRow): RunSummary;
  /** Sockets that may be open at the same time: of an environment, and of all environments in this process. */
  mostSockets(env: Env): { each: number; all: number };
  authenticate(env: Env, token: string): Promise<LivePrincipal | LiveFailure>;
  /** False: the key was revoked, or the session or the membership is over. */
  isValid(env: Env, principal: LivePrincipal): Promise<boolean>;
}
