import type { Sql } from "../lib/sql.ts";
import { lastLine, logsAfter } from "./core.ts";
import type { LogPage, StreamRecord } from "./rpc.ts";
import { lastRecordOf, recordsAfter } from "./streams.ts";
import { type Piece, Watch, type Watched } from "./watch.ts";

const LINES_AT_ONCE = 500;
/**
 * The maximum number of watched streams, whether or not they exist yet. Beyond that, the one watched for the
 * longest is dropped, and its watchers read it when the run ends.
 */
export const MAX_WATCHED_STREAMS = 500;
/**
 * The maximum number of characters of records that are sent at once. Beyond that, the watcher is notified and
 * reads them at its own pace.
 */
const RECORD_CHARACTERS = 64 * 1024;

/** Sends the items of a feed to the environment's LiveObject. Returns false if nobody watches any more. */
export interface Watcher {
  logs(runId: string, page: LogPage): Promise<boolean>;
  stream(runId: string, key: string, previous: number, records: StreamRecord[]): Promise<boolean>;
}

interface StreamPiece extends Piece {
  records: StreamRecord[];
}

/** The watchers of the log and the streams of one run. */
export class Watches {
  readonly #sql: Sql;
  readonly #watcher: Watcher;
  #logs: Watch<LogPage & Piece> | null = null;
  readonly #streams = new Map<string, Watch<StreamPiece>>();

  /** True: the tables exist. */
  constructor(sql: Sql, watcher: Watcher) {
    this.#sql = sql;
    this.#watcher = watcher;
    const log = sql.exec<{ run_id: string }>("SELECT run_id FROM watched")[0];
    if (log) this.#logs = this.#watchOfLog(log.run_id, true);
    for (const { key, run_id } of sql.exec<{ key: string; run_id: string }>(
      "SELECT key, run_id FROM watched_streams",
    ))
      this.#streams.set(key, this.#watchOfStream(run_id, key, true));
  }

  watchLogs(runId: string): void {
    if (this.#logs) {
      this.#logs.join();
      return;
    }
    this.#logs = this.#watchOfLog(runId, false);
    this.#sql.exec("INSERT INTO watched (run_id) VALUES (?)", runId);
  }

  watchStream(runId: string, key: string): void {
    const known = this.#streams.get(key);
    if (known) {
      known.join();
      return;
    }
    const [oldest] = this.#streams.values();
    if (oldest && this.#streams.size >= MAX_WATCHED_STREAMS) oldest.end();
    this.#streams.set(key, this.#watchOfStream(runId, key, false));
    this.#sql.exec("INSERT INTO watched_streams (key, run_id) VALUES (?, ?)", key, runId);
  }

  /** Adds a watcher of the log. */
  get ofLogs(): boolean {
    return this.#logs !== null;
  }

  /** Adds a watcher of this stream. */
  ofStream(key: string): boolean {
    return this.#streams.has(key);
  }

  async sendLogs(): Promise<void> {
    await this.#logs?.send();
  }

  async sendRecords(key: string): Promise<void> {
    await this.#streams.get(key)?.send();
  }

  /** Sends the unsent items of the log and of all streams. */
  async sendAll(): Promise<void> {
    await Promise.all([this.sendLogs(), ...[...this.#streams.values()].map((watch) => watch.send())]);
  }

  #watchOfLog(runId: string, isStored: boolean): Watch<LogPage & Piece> {
    const sql = this.#sql;
    const watched: Watched<LogPage & Piece> = {
      last: () => lastLine(sql),
      after: (sent) => {
        const { lines } = logsAfter(sql, sent, LINES_AT_ONCE);
        const last = lines.at(-1)?.seq;
        return last === undefined ? null : { previous: sent, lines, last };
      },
      upTo: (last) => ({ previous: last, lines: [], last }),
      send: ({ previous, lines }) => this.#watcher.logs(runId, { previous, lines }),
      forget: () => {
        this.#logs = null;
        sql.exec("DELETE FROM watched");
      },
    };
    return new Watch(watched, isStored);
  }

  #watchOfStream(runId: string, key: string, isStored: boolean): Watch<StreamPiece> {
    const sql = this.#sql;
    const watched: Watched<StreamPiece> = {
      last: () => lastRecordOf(sql, key),
      after: (sent) => {
        const last = lastRecordOf(sql, key);
        if (last <= sent) return null;
        const records = recordsAfter(sql, key, sent, RECORD_CHARACTERS);
        return records.at(-1)?.seq === last ? { previous: sent, records, last } : watched.upTo(last);
      },
      upTo: (last) => ({ previous: last, records: [], last }),
      send: ({ previous, records }) => this.#watcher.stream(runId, key, previous, records),
      forget: () => {
        this.#streams.delete(key);
        sql.exec("DELETE FROM watched_streams WHERE key = ?", key);
      },
    };
    return new Watch(watched, isStored);
  }
}
