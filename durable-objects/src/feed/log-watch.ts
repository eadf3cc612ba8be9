import type { Sql } from "../lib/sql.ts";
import { lastLine, logsAfter } from "./core.ts";
import type { LogPage } from "./rpc.ts";

const LINES_AT_ONCE = 500;
const RETRY_MS = 500;
/** A LiveObject that can't be reached for this long has lost its watchers, who come back and ask. */
const MAX_TRIES = 60;

/**
 * Sends new lines of a run's log to whoever watches it, in order, as they are stored. That somebody watches is stored
 * too: it outlives this object. A line that is lost on the way is missed by its number, and asked for.
 */
export class LogWatch {
  readonly #sql: Sql;
  readonly #send: (runId: string, page: LogPage) => Promise<boolean>;
  #runId: string | null;
  /** Lines up to here were sent, or read by whoever began to watch. */
  #sent: number;
  #sending = false;

  /** The tables exist. */
  constructor(sql: Sql, send: (runId: string, page: LogPage) => Promise<boolean>) {
    this.#sql = sql;
    this.#send = send;
    this.#runId = sql.exec<{ run_id: string }>("SELECT run_id FROM watched")[0]?.run_id ?? null;
    this.#sent = lastLine(sql);
  }

  begin(runId: string): void {
    if (this.#runId !== null) return;
    this.#runId = runId;
    this.#sent = lastLine(this.#sql);
    this.#sql.exec("INSERT INTO watched (run_id) VALUES (?)", runId);
  }

  /** Lines were added. */
  async appended(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    let tries = 0;
    try {
      while (this.#runId !== null) {
        const page = logsAfter(this.#sql, this.#sent, LINES_AT_ONCE);
        if (page.lines.length === 0) return;
        try {
          if (!(await this.#send(this.#runId, { ...page, previous: this.#sent }))) this.#end();
          this.#sent = page.lines.at(-1)?.seq ?? this.#sent;
          tries = 0;
        } catch (error) {
          tries += 1;
          if (tries === 1)
            console.error("Log lines could not be sent to their watchers; it is tried again", error);
          if (tries >= MAX_TRIES) this.#end();
          else await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
    } finally {
      this.#sending = false;
    }
  }

  #end(): void {
    this.#runId = null;
    this.#sql.exec("DELETE FROM watched");
  }
}
