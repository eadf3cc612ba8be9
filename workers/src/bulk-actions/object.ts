import { DurableObject } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import { isFinal, RunStatus } from "@acme/sdk/contract";
import { eq } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf, ownerOf, queueObjectOf } from "../objects.ts";
import { replayRun } from "../runs/replay-run.ts";
import { openRepository } from "../storage/open.ts";
import type { Repository, RunFilter } from "../storage/repository.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";
import type { BulkActionRpc, BulkProgress, NewBulkAction } from "./rpc.ts";

/** The number of runs of one step. A crash repeats at most one step. */
const CHUNK = 25;
/** The number of queues that are asked at once for their latest changes. */
const QUEUES = 50;
/** The number of steps of one alarm: an invocation may call only a limited number of other objects. */
const CHUNKS_PER_ALARM = 10;
/** The number of failures whose messages are kept. */
const KEPT_FAILURES = 50;
const ERROR_LENGTH = 500;
/** Delays before a step is retried that failed for reasons other than its runs. */
const RETRY_MS = { first: 1_000, most: 60_000 };
/**
 * The number of tries after which runs that can't be processed count as failed, and queues that can't be asked
 * are left out: about two minutes.
 */
const MAX_TRIES = 6;
/** How long the object keeps the action after its end. The database keeps the outcome longer. */
const KEPT_MS = 24 * 3_600_000;

interface State {
  action: NewBulkAction;
  progress: BulkProgress;
  /**
   * The key of the last queue that has sent its changes to the query side. Absent: all have, and `total` is known.
   */
  asked?: string;
  /** The queues that could not be asked. */
  leftOut?: string[];
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
 *
 * The runs of a filter are read from the query side, which follows the queues with a delay. So each queue of the
 * environment first sends what it has: every run that was acknowledged before the action was created is found, in
 * the state that it had then or later.
 */
export class BulkActionObject extends DurableObject<Bindings> implements BulkActionRpc {
  /** Opened once: each step with a connection of its own would leave many of them open. */
  readonly #repository: Repository;
  readonly #sql: SqlConnection;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    this.#repository = openRepository(env);
    this.#sql = openSql(env);
  }

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
    const { selection } = action;
    const byFilter = "filter" in selection;
    const progress: BulkProgress = {
      status: "PENDING",
      total: byFilter ? 0 : selection.runIds.length,
      success: 0,
      failure: 0,
      completedAt: null,
      failures: [],
    };
    // If the object dies before the action is recorded, the alarm records it.
    const recorded = action.record === undefined;
    const asked = byFilter ? "" : undefined;
    this.#save({ action, progress, asked, after: null, tries: 0, recorded, reported: false }, Date.now());
    await this.#record();
  }

  /** Makes the action visible, once: its row and its entry in the audit log are one transaction. */
  async #record(): Promise<void> {
    const before = this.#state;
    const record = before?.action.record;
    if (!before || !record || before.recorded) return;
    const { id, environment, type } = before.action;
    const { total } = before.progress;
    const { name, createdAt } = record;
    const { db, tables, atomically } = this.#sql;
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
      const isDone = state.asked === undefined ? this.#step(state) : this.#askQueues(state, state.asked);
      if (!(await isDone)) return;
    }
    this.ctx.storage.setAlarm(Date.now());
  }

  /** Has the next queues send their changes, or counts the runs if all have. Returns false if it has to wait. */
  async #askQueues(before: State, after: string): Promise<boolean> {
    const { environment, selection } = before.action;
    let keys: string[];
    let leftOut: string[];
    let total = 0;
    try {
      keys = await environmentObjectOf(this.env, environment.key).queueKeys(after, QUEUES);
      leftOut = await this.#sendChanges(before, keys);
      if (keys.length === 0 && "filter" in selection)
        total = await this.#count(environment.key, selection.filter);
    } catch (error) {
      return this.#again(error);
    }
    const state = this.#state;
    if (state?.progress.status !== "PENDING") return true;
    state.tries = 0;
    state.leftOut = [...(state.leftOut ?? []), ...leftOut];
    state.asked = keys.at(-1);
    if (state.asked === undefined) {
      state.progress.total = total;
      if (state.leftOut.length > 0) state.progress.failures.push(missing(state.leftOut.length));
    }
    this.#save(state, Date.now());
    return true;
  }

  async #count(environmentKey: string, filter: RunFilter): Promise<number> {
    const counts = await this.#repository.countRuns(environmentKey, filter);
    return Object.values(counts).reduce((sum: number, each) => sum + (each ?? 0), 0);
  }

  /** Returns the queues that could not be asked, after the last try. Throws before that. */
  async #sendChanges({ action: { environment, id }, tries }: State, keys: string[]): Promise<string[]> {
    const asked = await Promise.allSettled(
      keys.map((key) => queueObjectOf(this.env, key).sendChanges(environment.key)),
    );
    const failed = keys.filter((_, index) => asked[index]?.status === "rejected");
    if (failed.length === 0) return [];
    const error = asked.find((each) => each.status === "rejected")?.reason;
    if (tries < MAX_TRIES) throw error;
    // A query side that can't be reached is the same for all queues: that is waited for.
    await this.#repository.listRuns(environment.key, {}, { limit: 1 });
    log.error("Queues could not be asked for their latest changes; a bulk action continues without them", {
      bulkAction: id,
      queues: failed,
      error,
    });
    return failed;
  }

  /** Has a step repeated that failed, unless the action has ended meanwhile. Returns true if it has. */
  #again(error: unknown): boolean {
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

  /** Processes one chunk. Returns false if it has to wait. */
  async #step(before: State): Promise<boolean> {
    let runIds: string[];
    let after: State["after"];
    let results: (string | null)[];
    try {
      ({ runIds, after } = await this.#next(before));
      results = await Promise.all(runIds.map((runId) => this.#act(before, runId)));
    } catch (error) {
      return this.#again(error);
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
    const { runs } = await this.#repository.listRuns(environment.key, selection.filter, page);
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
      const { db, tables } = this.#sql;
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

/** What the action's user reads about queues that were left out. It names no run. */
const missing = (queues: number): BulkProgress["failures"][number] => ({
  runId: "",
  error: `${queues === 1 ? "One queue" : `${queues} queues`} of the environment could not be reached for two minutes. Of its runs, the latest may be missing here: send the action again later.`,
});

/** Statuses in which a run can be canceled. */
export const CANCELABLE = Object.values(RunStatus).filter((status) => !isFinal(status));
