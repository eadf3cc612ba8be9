import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { newRunId } from "@acme/sdk/contract";
import { EnvironmentCore } from "../../../durable-objects/src/environment/core.ts";
import { attemptCompleted } from "../../../durable-objects/src/queue/attempts.ts";
import { QueueCore } from "../../../durable-objects/src/queue/core.ts";
import { dequeueRuns } from "../../../durable-objects/src/queue/dequeue.ts";
import { triggerRun } from "../../../durable-objects/src/queue/trigger.ts";
import { partitionOf, queueRef } from "../../../durable-objects/src/routing/partitions.ts";
import type { EnvironmentRef, QueueRef } from "../../../durable-objects/src/rpc.ts";
import { plainEnvironment, plainItem } from "../../../durable-objects/test/fixtures.ts";
import { nodeSql } from "../../../durable-objects/test/node-sql.ts";

/** Number of triggers, and of reports, that reach one object at one moment. */
const AT_ONCE = 32;
const HOST = { hostId: "host", sessionId: "session" };
const DEPLOYMENT = { id: "deployment", version: "20270101.1", contentHash: "0" };
const SUCCESS = { type: "success", output: "1", outputType: "application/json" } as const;

/** How long objects were busy, in microseconds for each run of the queue. */
export interface Busy {
  /** The busiest partition: what bounds the queue where each object has a machine of its own. */
  trigger: number;
  drain: number;
  /** The environment's object, which counts what partitions share. */
  environment: number;
}

interface Partition {
  ref: QueueRef;
  core: QueueCore;
  triggering: number;
  draining: number;
}

/**
 * Runs the objects' own code over SQLite on disk, one object after the other, and flushes each commit. Adds
 * up how long each object was busy.
 */
export class Objects {
  readonly #partitions: Partition[];
  readonly #environment: EnvironmentCore;
  readonly #ref: EnvironmentRef;
  #environmentMs = 0;
  #named = 0;

  constructor(folder: string, partitions: number) {
    this.#ref = plainEnvironment("env00001");
    const declaration = { concurrencyLimit: 50_000, partitions };
    this.#environment = new EnvironmentCore(
      onDisk(join(folder, "environment")),
      Date.now,
      () => declaration,
      () => new Map(),
    );
    this.#environment.updateSettings(this.#ref, { concurrencyLimit: 100_000 });
    this.#partitions = Array.from({ length: partitions }, (_, index) => {
      const ref = queueRef(this.#ref, "task/task", index);
      const core = new QueueCore({
        sql: onDisk(join(folder, `queue-${index}`)),
        now: Date.now,
        random: Math.random,
      });
      core.create(ref, declaration);
      return { ref, core, triggering: 0, draining: 0 };
    });
  }

  /** Triggers `runs` runs, then has all of them executed. */
  measure(runs: number): Busy {
    for (const partition of this.#partitions) Object.assign(partition, { triggering: 0, draining: 0 });
    this.#environmentMs = 0;
    this.#trigger(runs);
    this.#drain(runs);
    const micros = (ms: number): number => (ms * 1_000) / runs;
    return {
      trigger: micros(Math.max(...this.#partitions.map(({ triggering }) => triggering))),
      drain: micros(Math.max(...this.#partitions.map(({ draining }) => draining))),
      environment: micros(this.#environmentMs),
    };
  }

  #trigger(runs: number): void {
    const spread = this.#partitions.map(() => 0);
    for (let n = 0; n < runs; n++) {
      this.#named += 1;
      spread[partitionOf(`call-${this.#named}`, spread.length)]! += 1;
    }
    for (const [index, count] of spread.entries()) {
      const partition = this.#partitions[index] as Partition;
      for (let left = count; left > 0; left -= AT_ONCE) {
        const items = Array.from({ length: Math.min(left, AT_ONCE) }, () =>
          plainItem(newRunId(partition.ref.queueKey)),
        );
        partition.triggering += timed(() => {
          partition.core.commit((q) => items.map((item) => triggerRun(q, item)));
        });
      }
      this.#tell(partition);
    }
  }

  #drain(runs: number): void {
    const byKey = new Map(this.#partitions.map((partition) => [partition.ref.queueKey, partition]));
    for (let left = runs; left > 0; ) {
      let grants: ReturnType<EnvironmentCore["grant"]> = [];
      this.#environmentMs += timed(() => {
        grants = this.#environment.grant(AT_ONCE * byKey.size);
      });
      if (grants.length === 0) throw new Error("Nothing is granted");
      for (const grant of grants) {
        const partition = byKey.get(grant.queueKey) as Partition;
        const { core } = partition;
        partition.draining += timed(() => {
          const { epoch } = this.#environment;
          const dequeued = { ...grant, prefetched: 0, ...HOST, epoch, deployment: DEPLOYMENT };
          const leased = core.commit((q) => dequeueRuns(q, dequeued)).result;
          this.#environmentMs += timed(() =>
            this.#environment.granted(grant, core.state, {
              leased: leased.runs.length,
              started: leased.started,
            }),
          );
          const at = Date.now();
          core.commit((q) =>
            leased.runs.map(({ runId, token }) =>
              attemptCompleted(q, { runId, token, startedAt: at, completedAt: at, outcome: SUCCESS }),
            ),
          );
          left -= leased.runs.length;
        });
        this.#tell(partition);
      }
    }
  }

  #tell({ core }: Partition): void {
    this.#environmentMs += timed(() => this.#environment.applyState(core.state));
  }
}

function timed(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

/** Opens a database as workerd does: each commit is on disk before it is answered. */
function onDisk(path: string) {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  return nodeSql(database);
}
