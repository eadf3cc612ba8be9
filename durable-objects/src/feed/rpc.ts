import type { LogEntry } from "@acme/sdk/contract";

export interface FeedRpc {
  appendLogs(attempt: number, entries: LogEntry[]): Promise<void>;
  listLogs(options: { limit: number }): Promise<{ attempt: number; entry: LogEntry }[]>;
}
