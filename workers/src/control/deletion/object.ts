import { DurableObject } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { and, eq, inArray, isNull } from "drizzle-orm";
import { alertsOf } from "../../alerts/projection.ts";
import type { Bindings } from "../../bindings.ts";
import { CANCELABLE } from "../../bulk-actions/object.ts";
import { environmentObjectOf, ownerOf, schedulesOf } from "../../objects.ts";
import { openBlobs } from "../../storage/blobs.ts";
import { openRepository } from "../../storage/open.ts";
import { openSql } from "../../storage/sql-connection.ts";
import type { DeletedRows, NewDeletion, ProjectDeletionRpc } from "./rpc.ts";

/** The numbers of runs to cancel, schedules to delete and rows to delete in one step. */
const RUNS = 50;
const SCHEDULES = 50;
const ROWS = 500;
/** The number of steps of one alarm: an invocation may call only a limited number of other objects. */
const STEPS = 10;
const AGAIN_MS = 5_000;
/** How long cached keys and tokens may still be accepted. Until then, new runs may appear. */
const SETTLED_MS = 90_000;
const RETRY_MS = 10_000;

interface State {
  deletion: NewDeletion;
  startedAt: number;
  /** What the transaction that deleted the project removed. Null: it has not run yet. */
  rows: DeletedRows | null;
  /** `stop`: ends the work of its environments. `sweep`: deletes their data. */
  phase: "stop" | "sweep";
  /** The index of the next environment. */
  next: number;
  runsCanceled: number;
  schedulesDeleted: number;
}

/**
 * Deletes a project and everything in it step by step, and stores its progress after each step. Every step
 * can be repeated, so a crash costs a repetition and leaves nothing half done.
 */
export class ProjectDeletionObject extends DurableObject<Bindings> implements ProjectDeletionRpc {
  get #state(): State | undefined {
    return this.ctx.storage.kv.get<State>("state");
  }

  /** Writes the state and sets the alarm together, so that the object continues after a crash. */
  #save(state: State, nextAt: number): void {
    this.ctx.storage.kv.put("state", state);
    this.ctx.storage.setAlarm(nextAt);
  }

  async start(deletion: NewDeletion): Promise<DeletedRows> {
    if (!this.#state) {
      const counts = { runsCanceled: 0, schedulesDeleted: 0 };
      const startedAt = Date.now();
      // If the object dies before the rows are deleted, the alarm deletes them.
      const first = { deletion, startedAt, rows: null, phase: "stop" as const, next: 0, ...counts };
      this.#save(first, startedAt + RETRY_MS);
    }
    return this.#deleteRows();
  }

  override async alarm(): Promise<void> {
    try {
      if (!this.#state) return;
      await this.#deleteRows();
      for (let step = 0; step < STEPS; step++) {
        const state = this.#state;
        if (!state) return;
        if (await this.#step(state)) return;
      }
      this.ctx.storage.setAlarm(Date.now());
    } catch (error) {
      log.error("The deletion of a project could not continue; it is tried again", { error });
      this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    }
  }

  /** From this transaction on, the project is gone for everybody. */
  async #deleteRows(): Promise<DeletedRows> {
    const before = this.#state;
    if (!before) throw new Error("The deletion was not started");
    if (before.rows) return before.rows;
    const { db, tables, atomically } = openSql(this.env);
    const { projects, environments, apiKeys, variables, alertRules, alertChannels, auditLog } = tables;
    const { project, audit } = before.deletion;
    const now = Date.now();
    const keys = db
      .select({ key: environments.key })
      .from(environments)
      .where(eq(environments.projectId, project.id));
    const changed = await atomically([
      db
        .update(projects)
        .set({ deletedAt: now })
        .where(and(eq(projects.id, project.id), isNull(projects.deletedAt))),
      db
        .update(apiKeys)
        .set({ revokedAt: now })
        .where(and(inArray(apiKeys.environmentKey, keys), isNull(apiKeys.revokedAt))),
      db.delete(variables).where(inArray(variables.environmentKey, keys)),
      db.delete(alertRules).where(inArray(alertRules.environmentKey, keys)),
      db.delete(alertChannels).where(inArray(alertChannels.environmentKey, keys)),
      db.insert(auditLog).values(audit).onConflictDoNothing({ target: auditLog.id }),
    ]);
    const [, apiKeysRevoked = 0, variablesDeleted = 0] = changed ?? [];
    const state = this.#state ?? before;
    if (state.rows) return state.rows;
    const rows = { apiKeysRevoked, variablesDeleted };
    this.#save({ ...state, rows }, Date.now());
    return rows;
  }

  /** Returns true if the alarm is set for its continuation, or the deletion is complete. */
  async #step(state: State): Promise<boolean> {
    const environment = state.deletion.environments[state.next];
    if (environment) {
      const isDone =
        state.phase === "stop" ? await this.#stop(state, environment) : await this.#sweep(environment);
      if (isDone) state.next += 1;
      this.#save(state, Date.now());
      return false;
    }
    state.next = 0;
    if (state.phase === "sweep") {
      await this.#finish(state);
      return true;
    }
    if (Date.now() >= state.startedAt + SETTLED_MS) {
      state.phase = "sweep";
      this.#save(state, Date.now());
      return false;
    }
    this.#save(state, Date.now() + AGAIN_MS);
    return true;
  }

  /**
   * Pauses an environment, deletes its schedules and cancels its runs, of which their hosts are informed.
   * Returns true if everything is done.
   */
  async #stop(state: State, environment: EnvironmentRef): Promise<boolean> {
    await environmentObjectOf(this.env, environment.key).updateEnvironment(environment, { paused: true });
    const object = schedulesOf(this.env, environment.key);
    const { schedules } = await object.listSchedules(1, SCHEDULES);
    let changed = 0;
    for (const { id, type, active } of schedules) {
      if (type === "DECLARATIVE" && !active) continue;
      // Schedules that are declared in code are removed only by a deployment.
      if (type === "DECLARATIVE") await object.setScheduleActive(id, false);
      else await object.deleteSchedule(id);
      changed += 1;
    }
    state.schedulesDeleted += changed;
    const filter = { statuses: CANCELABLE };
    const { runs } = await openRepository(this.env).listRuns(environment.key, filter, { limit: RUNS });
    const results = await Promise.all(
      runs.map(({ id }) =>
        ownerOf(this.env, environment.key, id).cancelRun(
          environment.key,
          id,
          `Project ${state.deletion.project.ref} was deleted`,
        ),
      ),
    );
    // The list follows the objects with a delay, so it still contains runs that were canceled before.
    const canceled = results.filter((result) => !("error" in result) && !result.alreadyFinal).length;
    state.runsCanceled += canceled;
    return canceled === 0 && changed === 0;
  }

  /**
   * Deletes the data of an environment in the query side and the blob store. Returns true if everything is
   * deleted.
   */
  async #sweep({ key }: EnvironmentRef): Promise<boolean> {
    const { db, tables } = openSql(this.env);
    const { runs, runTags, waitpoints, errorGroups, errorCounts, runRollups } = tables;
    const ids = db.select({ id: runs.id }).from(runs).where(eq(runs.environmentKey, key)).limit(ROWS);
    const gone = await db.delete(runs).where(inArray(runs.id, ids)).returning({ id: runs.id });
    if (gone.length > 0) return false;
    await db.delete(runTags).where(eq(runTags.environmentKey, key));
    await db.delete(waitpoints).where(eq(waitpoints.environmentKey, key));
    await db.delete(errorGroups).where(eq(errorGroups.environmentKey, key));
    await db.delete(errorCounts).where(eq(errorCounts.environmentKey, key));
    await alertsOf(this.env, key).clear();
    await db.delete(runRollups).where(eq(runRollups.environmentKey, key));
    return openBlobs(this.env).deleteUnder(`packets/${key}`);
  }

  /** Records the result in the audit log, and deletes its own state. */
  async #finish({ deletion, runsCanceled, schedulesDeleted }: State): Promise<void> {
    const { db, tables } = openSql(this.env);
    const now = Date.now();
    await db
      .insert(tables.auditLog)
      .values({
        ...deletion.audit,
        // The id is fixed, so a repetition after a crash adds no second entry.
        id: `${deletion.audit.id}z`,
        at: now,
        action: "project.deletion_completed",
        details: { runsCanceled, schedulesDeleted },
      })
      .onConflictDoNothing({ target: tables.auditLog.id });
    await this.ctx.storage.deleteAll();
  }
}
