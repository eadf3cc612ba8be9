import { DurableObject } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import { isFinal, RunStatus } from "@acme/sdk/contract";
import { eq } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { ownerOf } from "../objects.ts";
import { replayRun } from "../runs/replay-run.ts";
import { openRepository } from "../storage/open.ts";
import { openSql } from "../storage/sql-connection.ts";
import type { BulkActionRpc, BulkProgress, NewBulkAction } from "./rpc.ts";

/** The number of runs of one step. A crash repeats at most one step. */
const CHUNK = 25;
/** The number of steps of one alarm: an invocation may call only a limited number of other objects. */
const CHUNKS_PER_ALARM = 10;
/** The number of failures whose messages are kept. */
const KEPT_FAILURES = 50;
const ERROR_LENGTH = 500;
/** Delays before a step is retried that failed for reasons other than its runs. */
const RETRY_MS = { first: 1_000, most: 60_000 };
/** The number of tries after which runs that can't be processed count as failed. */
const MAX_TRIES = 6;
/** How long the object keeps the action after its end. The database keeps the outcome longer. */
const KEPT_MS = 24 * 3_600_000;

interface State {
  action: NewBulkAction;
  progress: BulkProgress;
  /** The position of the last processed run: its id, or the number of given ids that were processed. */
  after: string | number | null;
  tries: number;
  /** True: its start was recorded in the database. Nothing is done before that. */
  recorded: boolean;
  /** True: its end was recorded in the database. */
  reported: boolean;
}

/** Thrown to abandon a step that can't be done now: nothing of it counts, and it is repeated. */
class Busy extends Error {}

/**
 * Cancels or replays many runs, one chunk at a time, and stores its progress after each chunk. The effect of
 * a chunk is idempotent (a canceled run stays canceled, a replay has a request key), so a crash costs a
 * repetition, and no count is wrong.
 */
export class BulkActionObject extends DurableObject<Bindings> implements BulkActionRpc {
  get #state(): State | undefined {
    return this.ctx.storage.kv.get<State>("state");
  }

  /** Writes the state and sets the alarm together, so that the object continues after a crash. */
  #save(state: State, nextAt: number): void {
    this.ctx.storage.kv.put("state", state);
    this.ctx.storage.setAlarm(nextAt);
  }

  async start(action: NewBulkAction) {
    if (this.#state) return;
    const progress: BulkProgress = {
      status: "PENDING",
      total: action.total,
      success: 0,
      failure: 0,
      completedAt: null,
      failures: [],
    };
    // If the object dies before the action is recorded, the alarm records it.
    const recorded = action.record === undefined;
    this.#save({ action, progress, after: null, tries: 0, recorded, reported: false }, Date.now());
    await this.#record();
  }

  /** Makes the action visible, once: its row and its entry in the audit log are one transaction. */
  async #record(): Promise<void> {
    const before = this.#state;
    const record = before?.action.record;
    if (!before || !record || before.recorded) return;
    const { id, environment, type, total } = before.action;
    const { name, createdAt } = record;
    const { db, tables, atomically } = openSql(this.env);
    const row = {
      id,
      environmentKey: environment.key,
      name,
      type,
      status: "PENDING" as const,
      total,
      createdAt,
    };
    await atomically([
      db
        .insert(tables.bulkActions)
        .values({ ...row, success: 0, failure: 0, completedAt: null, failures: [] })
        .onConflictDoNothing({ target: tables.bulkActions.id }),
      db.insert(tables.auditLog).values(record.audit).onConflictDoNothing({ target: tables.auditLog.id }),
    ]);
    const state = this.#state;
    if (state && !state.recorded) this.#save({ ...state, recorded: true }, Date.now());
  }

  async progress() {
    return this.#state?.progress ?? null;
  }

  async abort() {
    const state = this.#state;
    if (!state) return null;
    if (state.progress.status === "PENDING") {
      this.#end(state, "ABORTED");
      this.#save(state, Date.now());
    }
    return state.progress;
  }

  override async alarm(): Promise<void> {
    try {
      await this.#record();
    } catch (error) {
      log.error("A bulk action could not be recorded yet", { error });
      this.ctx.storage.setAlarm(Date.now() + RETRY_MS.first);
      return;
    }
    for (let chunk = 0; chunk < CHUNKS_PER_ALARM; chunk++) {
      const state = this.#state;
      if (!state) return;
      if (state.progress.status !== "PENDING") return this.#afterEnd(state);
      if (!(await this.#step(state))) return;
    }
    this.ctx.storage.setAlarm(Date.now());
  }

  /** Processes one chunk. Returns false if it has to wait. */
  async #step(before: State): Promise<boolean> {
    let runIds: string[];
    let after: State["after"];
    let results: (string | null)[];
    try {
      ({ runIds, after } = await this.#next(before));
      results = await Promise.all(runIds.map((runId) => this.#act(before, runId)));
    } catch (error) {
      const state = this.#state;
      if (state?.progress.status !== "PENDING") return true;
      if (!(error instanceof Busy)) {
        state.tries += 1;
        log.error("A bulk action could not continue; it is tried again", {
          bulkAction: state.action.id,
          tries: state.tries,
          error,
        });
      }
      const delay = RETRY_MS.first * 2 ** Math.min(state.tries, 6);
      this.#save(state, Date.now() + Math.min(delay, RETRY_MS.most));
      return false;
    }
    // The action may have been aborted meanwhile: completed work counts, and nothing more is done.
    const state = this.#state;
    if (!state) return false;
    const { progress } = state;
    for (const [index, error] of results.entries()) {
      if (error === null) progress.success += 1;
      else {
        progress.failure += 1;
        if (progress.failures.length < KEPT_FAILURES)
          progress.failures.push({ runId: runIds[index] as string, error: error.slice(0, ERROR_LENGTH) });
      }
    }
    progress.total = Math.max(progress.total, progress.success + progress.failure);
    state.after = after;
    state.tries = 0;
    if (runIds.length === 0 && progress.status === "PENDING") this.#end(state, "COMPLETED");
    this.#save(state, Date.now());
    return true;
  }

  #end(state: State, status: "COMPLETED" | "ABORTED"): void {
    state.progress.status = status;
    state.progress.completedAt = Date.now();
    // Runs that have changed since may no longer match.
    if (status === "COMPLETED") state.progress.total = state.progress.success + state.progress.failure;
  }

  /** Returns the next runs; none if all are processed. */
  async #next({ action, after }: State): Promise<{ runIds: string[]; after: State["after"] }> {
    const { selection, environment } = action;
    if ("runIds" in selection) {
      const done = typeof after === "number" ? after : 0;
      const runIds = selection.runIds.slice(done, done + CHUNK);
      return { runIds, after: done + runIds.length };
    }
    const page = { limit: CHUNK, after: typeof after === "string" ? after : undefined };
    const { runs } = await openRepository(this.env).listRuns(environment.key, selection.filter, page);
    return { runIds: runs.map(({ id }) => id), after: runs.at(-1)?.id ?? after };
  }

  /** Returns null if it succeeded, or the reason why it can't. Throws Busy if it may work later. */
  async #act({ action, tries }: State, runId: string): Promise<string | null> {
    try {
      return action.type === "CANCEL" ? await this.#cancel(action, runId) : await this.#replay(action, runId);
    } catch (error) {
      if (error instanceof Failure && error.status === 429) throw new Busy(error.message);
      if (error instanceof Failure) return error.message;
      if (tries < MAX_TRIES) throw error;
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #cancel({ environment, id }: NewBulkAction, runId: string): Promise<string | null> {
    const owner = ownerOf(this.env, environment.key, runId);
    const result = await owner.cancelRun(environment.key, runId, `Canceled by bulk action ${id}`, {
      bulkAction: id,
    });
    if ("error" in result) return result.message;
    return result.alreadyFinal && result.status !== RunStatus.CANCELED
      ? "The run was over before it could be canceled."
      : null;
  }

  async #replay({ environment, id }: NewBulkAction, runId: string): Promise<string | null> {
    const run = await ownerOf(this.env, environment.key, runId).retrieveRun(environment.key, runId);
    if (!run) return `Run ${runId} was not found in this environment.`;
    await replayRun(this.env, environment, run, {}, `${id} ${runId}`, id);
    return null;
  }

  async #afterEnd(state: State): Promise<void> {
    if (state.reported) {
      await this.ctx.storage.deleteAll();
      return;
    }
    try {
      const { db, tables } = openSql(this.env);
      const { status, total, success, failure, completedAt, failures } = state.progress;
      await db
        .update(tables.bulkActions)
        .set({ status, total, success, failure, completedAt, failures })
        .where(eq(tables.bulkActions.id, state.action.id));
      this.#save({ ...state, reported: true }, Date.now() + KEPT_MS);
    } catch (error) {
      log.error("The end of a bulk action could not be written; it is tried again", {
        bulkAction: state.action.id,
        error,
      });
      this.#save(state, Date.now() + RETRY_MS.most);
    }
  }
}

/** Statuses in which a run can be canceled. */
export const CANCELABLE = Object.values(RunStatus).filter((status) => !isFinal(status));
