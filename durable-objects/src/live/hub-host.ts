import type { LiveEnvironment, LiveFilter, LiveLogLine, RunSummary } from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import type { RunRecord, RunRow } from "../rpc.ts";
import type { LiveFailure, LiveInterest, LivePrincipal } from "./rpc.ts";

/** What the hub asks of others. */
export interface HubHost {
  readonly environmentKey: string;
  now(): number;
  /** Unique in the life of an object: positions of another life mean nothing. */
  readonly epoch: string;
  listRuns(filter: LiveFilter, limit: number): Promise<{ runs: RunRow[]; more: boolean }>;
  summaryOf(run: RunRow): RunSummary;
  /** Gives a queue an interest, and retrieves runs of it: those that exist. */
  listen(queueKey: string, interest: LiveInterest, runIds: string[]): Promise<RunRecord[]>;
  environment(): Promise<LiveEnvironment>;
  /** Log lines after `after`, and from then on each one through `logsAppended`. */
  watchLogs(
    runId: string,
    after: number,
    limit: number,
  ): Promise<{ previous: number; lines: LiveLogLine[]; more: boolean }>;
  /** Number of the last log line of a run; 0 without lines. */
  lastLine(runId: string): Promise<number>;
  /** Number of the last record of a stream; from then on each one comes through `streamAppended`. */
  watchStream(runId: string, key: string): Promise<number>;
  /** Records after number `after`: at least one if there is any, and as many as have `LIVE_LIMITS.streamCharacters`. */
  readStream(runId: string, key: string, after: number): Promise<StreamRecord[]>;
  authenticate(token: string): Promise<LivePrincipal | LiveFailure>;
  isValid(principal: LivePrincipal): Promise<boolean>;
  /** Keeps the object awake until this is over. */
  keepAlive(work: Promise<unknown>): void;
}

/** The hub waits this long before it repeats a read that failed. */
export const RETRY_MS = 500;
