import { LIMITS, type WorkerManifest } from "@acme/sdk/contract";
import type { CreateScheduleBody, UpdateScheduleBody } from "@acme/sdk/contract/api";
import { log } from "../../lib/log.ts";
import type { Sql } from "../../lib/sql.ts";
import type { QueueRpc, TriggerResult } from "../../queue/rpc.ts";
import { declarationOf, type IndexedManifest } from "../../routing/declaration.ts";
import { enqueueRuns } from "../../routing/enqueue.ts";
import { partitionsOf, queueRef } from "../../routing/partitions.ts";
import type { EnvironmentRef } from "../../routing/refs.ts";
import type { CurrentDeployment } from "../rpc.ts";
import { type Firing, fired, firingsAfter, hasFirings, itemOf, pickDue } from "./firing.ts";
import type { ScheduleError, ScheduleRecord } from "./rpc.ts";
import * as store from "./store.ts";
import { timingProblem } from "./timing.ts";

/** The number of schedules that are picked in one transaction, and whose runs are created concurrently. */
const CHUNK = 1_000;
/** The number of chunks whose runs are being created while the next one is picked. */
const CHUNKS_AT_ONCE = 4;
/** Calls of other objects per invocation (Cloudflare's limit is 1,000); the alarm continues with the rest. */
const MAX_CALLS = 800;
/** Delay before runs whose queue could not be reached are sent again. */
const RETRY_MS = 5_000;

export interface SchedulerHost {
  sql: Sql;
  queueOf(queueKey: string): QueueRpc;
  /** Arranges for `fire` to be called at this time or before. */
  wakeAt(time: number): void;
  environment(): EnvironmentRef | null;
  current(): CurrentDeployment | null;
  indexed(current: CurrentDeployment): IndexedManifest;
  /** Returns whether a host that could execute the environment's runs is connected now. */
  isServed(): Promise<boolean>;
}

/** The schedules of an environment: keeps them, and creates the runs that are due. */
export class Scheduler {
  readonly #host: SchedulerHost;
  readonly #sql: Sql;
  #firing: Promise<void> | null = null;
  /** The number of schedules, counted once per life of the object. */
  #count: number | null = null;

  constructor(host: SchedulerHost) {
    this.#host = host;
    this.#sql = host.sql;
  }

  /** Runs in the transaction that promotes a deployment. */
  sync(environment: EnvironmentRef, manifest: WorkerManifest): void {
    store.syncDeclared(this.#sql, environment, manifest, Date.now());
    this.#count = null;
  }

  create(environment: EnvironmentRef, body: CreateScheduleBody): ScheduleRecord | ScheduleError {
    const { deduplicationKey, ...content } = body;
    const known = store.findSchedule(this.#sql, deduplicationKey);
    const problem = this.#problemOf(environment, content);
    if (problem) return problem;
    this.#count ??= store.countSchedules(this.#sql);
    if (!known && this.#count >= LIMITS.schedulesPerEnvironment) return store.tooMany();
    const row = this.#sql.transaction(() =>
      store.upsertSchedule(this.#sql, environment.key, "IMPERATIVE", deduplicationKey, content, Date.now()),
    );
    if (!known) this.#count += 1;
    this.arm();
    return store.recordOf(row);
  }

  update(ref: string, body: UpdateScheduleBody): ScheduleRecord | ScheduleError {
    const environment = this.#host.environment();
    const known = store.findSchedule(this.#sql, ref);
    if (!known || !environment) return notFound(ref);
    if (known.type === "DECLARATIVE") return declared(known, "changed");
    const problem = this.#problemOf(environment, body);
    if (problem) return problem;
    const row = this.#sql.transaction(() =>
      store.replaceSchedule(this.#sql, environment.key, known, body, Date.now()),
    );
    this.arm();
    return store.recordOf(row);
  }

  setActive(ref: string, active: boolean): ScheduleRecord | ScheduleError {
    const environment = this.#host.environment();
    const known = store.findSchedule(this.#sql, ref);
    if (!known || !environment) return notFound(ref);
    const row = this.#sql.transaction(() =>
      store.setActive(this.#sql, environment.key, known, active, Date.now()),
    );
    this.arm();
    return store.recordOf(row);
  }

  delete(ref: string): { id: string } | ScheduleError {
    const known = store.findSchedule(this.#sql, ref);
    if (!known) return notFound(ref);
    if (known.type === "DECLARATIVE") return declared(known, "deleted");
    this.#sql.transaction(() => store.deleteSchedule(this.#sql, known));
    if (this.#count !== null) this.#count -= 1;
    return { id: known.id };
  }

  retrieve(ref: string): ScheduleRecord | null {
    const row = store.findSchedule(this.#sql, ref);
    return row ? store.recordOf(row) : null;
  }

  list(page: number, perPage: number): { schedules: ScheduleRecord[]; count: number } {
    this.#count ??= store.countSchedules(this.#sql);
    return {
      schedules: store.listSchedules(this.#sql, page, perPage).map(store.recordOf),
      count: this.#count,
    };
  }

  /** Sets a timer for when the next run is due. */
  arm(): void {
    const due = store.nextDue(this.#sql);
    if (due !== null) this.#host.wakeAt(due);
  }

  /**
   * Creates the runs of all due schedules, in the order in which they became due. Never rejects: failures are
   * retried.
   */
  fire(): Promise<void> {
    this.#firing ??= this.#fireAll()
      .catch((error) => {
        log.error("Schedules failed; they are tried again", {
          environment: this.#host.environment()?.key,
          error,
        });
        this.#host.wakeAt(Date.now() + RETRY_MS);
      })
      .finally(() => {
        this.#firing = null;
      });
    return this.#firing;
  }

  async #fireAll(): Promise<void> {
    // Without a developer's machine to execute it, a run would only wait until it is out of date.
    const unserved = this.#host.environment()?.type === "DEVELOPMENT" && !(await this.#host.isServed());
    const creating = new Set<Promise<void>>();
    let calls = 0;
    for (let after = 0; ; ) {
      this.#pick(unserved);
      const chunk = firingsAfter(this.#sql, after, CHUNK);
      if (chunk.length === 0) break;
      const groups = [...Map.groupBy(chunk, ({ queue, partition }) => `${queue}\n${partition}`).values()];
      if (calls > 0 && calls + groups.length > MAX_CALLS) {
        this.#host.wakeAt(Date.now());
        break;
      }
      after = chunk.at(-1)?.seq ?? after;
      calls += groups.length;
      const created = this.#create(groups).finally(() => creating.delete(created));
      creating.add(created);
      if (creating.size === CHUNKS_AT_ONCE) await Promise.race(creating);
    }
    await Promise.all(creating);
    if (hasFirings(this.#sql)) this.#host.wakeAt(Date.now() + RETRY_MS);
    this.arm();
  }

  /** One transaction picks the ticks and stores the ids of their runs before any run is created. */
  #pick(unserved: boolean): void {
    const environment = this.#host.environment();
    const current = this.#host.current();
    if (!environment || !current) return;
    const { tasks } = this.#host.indexed(current);
    const deployed = {
      tasks,
      retry: current.manifest.retry,
      partitionsOf: (queue: string) => partitionsOf(current, this.#host.indexed(current), queue),
    };
    const picked = this.#sql.transaction(() =>
      pickDue(this.#sql, { environment, deployed, unserved, now: Date.now() }, CHUNK),
    );
    // If this object dies before the runs are created, its next life creates them.
    if (picked > 0) this.#host.wakeAt(Date.now() + RETRY_MS);
  }

  async #create(groups: Firing[][]): Promise<void> {
    // Ticks are picked only if both exist, and neither is ever removed.
    const environment = this.#host.environment() as EnvironmentRef;
    const current = this.#host.current() as CurrentDeployment;
    const answers = await Promise.allSettled(
      groups.map((firings) => {
        const { queue, partition } = firings[0] as Firing;
        return enqueueRuns(this.#host.queueOf, {
          target: queueRef(environment, queue, partition),
          declaration: declarationOf(current, this.#host.indexed(current), queue),
          items: firings.map(itemOf),
        });
      }),
    );
    this.#sql.transaction(() => {
      for (const [index, firings] of groups.entries()) {
        const { queue } = firings[0] as Firing;
        const answer = answers[index] as PromiseSettledResult<TriggerResult[]>;
        if (answer.status === "rejected") {
          log.error("Schedules could not reach a queue; they try again", {
            environment: environment.key,
            queue,
            error: answer.reason,
          });
          continue;
        }
        const full = answer.value.filter(({ error }) => error).length;
        if (full > 0) {
          log.warn("A queue is full: ticks of schedules have no run", {
            environment: environment.key,
            queue,
            ticks: full,
          });
        }
        for (const [n, firing] of firings.entries()) {
          fired(this.#sql, firing, answer.value[n] as TriggerResult);
        }
      }
    });
  }

  #problemOf(environment: EnvironmentRef, body: UpdateScheduleBody): ScheduleError | null {
    const timing = timingProblem(body.cron, body.timezone ?? "UTC");
    if (timing) return timing;
    const current = this.#host.current();
    const task = current && this.#host.indexed(current).tasks.get(body.task);
    if (!task) {
      const where = current
        ? `is not in deployment ${current.deployment.version} of environment "${environment.slug}"`
        : `is not known: nothing was deployed to environment "${environment.slug}" yet`;
      return {
        error: "task_not_found",
        message: `Task "${body.task}" ${where}. Check the id, or deploy the project that defines it first.`,
      };
    }
    if (task.triggerSource !== "schedule") {
      return {
        error: "task_not_scheduled",
        message: `Task "${task.id}" is not a scheduled task. Define it with schedules.task({ id: "${task.id}", run }) instead of task() and deploy.`,
      };
    }
    return null;
  }
}

const notFound = (ref: string): ScheduleError => ({
  error: "schedule_not_found",
  message: `Schedule ${ref} was not found in this environment.`,
});

const declared = ({ id, task }: store.ScheduleRow, what: string): ScheduleError => ({
  error: "declarative_schedule",
  message: `Schedule ${id} is declared in the code of task "${task}": it is ${what} by changing \`cron\` there and deploying. It can be deactivated.`,
});
