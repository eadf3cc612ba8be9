import type { LogEntry } from "@acme/sdk/contract";
import type { LiveLogLine } from "@acme/sdk/contract/live";

/** Log lines in order. `previous`: the sequence number before the first of them. */
export interface LogPage {
  previous: number;
  lines: LiveLogLine[];
}

export interface FeedRpc {
  appendLogs(attempt: number, entries: LogEntry[]): Promise<void>;
  listLogs(options: { limit: number }): Promise<{ attempt: number; entry: LogEntry }[]>;
  /**
   * From the LiveObject: lines after the sequence number `after`, and from then on each new one through its
   * `logsAppended`, until that says that nobody watches. `more`: there are further lines already.
   */
  watchLogs(runId: string, after: number, limit: number): Promise<LogPage & { more: boolean }>;
}
