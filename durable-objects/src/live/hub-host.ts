import type { LiveEnvironment, LiveFilter, LiveLogLine, RunSummary } from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import type { RunRecord, RunRow } from "../rpc.ts";
import type { LiveFailure, LiveInterest, LivePrincipal } from "./rpc.ts";

/** What the hub needs from its environment. */
export interface HubHost {
  readonly environmentKey: string;
  now(): number;
  /** Unique in the life of an object: positions of another life mean nothing. */
  readonly epoch: string;
  listRuns(filter: LiveFilter, limit: number): Promise<{ runs: RunRow[]; more: boolean }>;
  summaryOf(run: RunRow): RunSummary;
  /** Gives a queue an interest, and retrieves those of the named runs that exist. */
  listen(queueKey: string, interest: LiveInterest, runIds: string[]): Promise<RunRecord[]>;
  environment(): Promise<LiveEnvironment>;
  /** Returns log lines after `after`; from then on each new one arrives through `logsAppended`. */
  watchLogs(
    runId: string,
    after: number,
    limit: number,
  ): Promise<{ previous: number; lines: LiveLogLine[]; more: boolean }>;
  /** Returns the number of the last log line of a run; 0 without lines. */
  lastLine(runId: string): Promise<number>;
  /**
   * Returns the number of the last record of a stream; from then on each new one arrives through
   * `streamAppended`.
   */
  watchStream(runId: string, key: string): Promise<number>;
  /**
   * Returns records after number `after`: at least one if there is any, and up to
   * `LIVE_LIMITS.streamCharacters` in total.
   */
  readStream(runId: string, key: string, after: number): Promise<StreamRecord[]>;
  authenticate(token: string): Promise<LivePrincipal | LiveFailure>;
  isValid(principal: LivePrincipal): Promise<boolean>;
  /** Keeps the object awake until the promise settles. */
  keepAlive(work: Promise<unknown>): void;
}

/** How long the hub waits before it repeats a failed read. */
export const RETRY_MS = 500;
