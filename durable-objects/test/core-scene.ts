import { runInDurableObject } from "cloudflare:test";
import {
  type AttemptOutcome,
  type DequeuedRun,
  defaultQueueName,
  newRunId,
  randomBase36,
} from "@acme/sdk/contract";
import { objectSql } from "../src/lib/sql.ts";
import { attemptCompleted, attemptStarted } from "../src/queue/attempts.ts";
import type { Effects, QueueContext, QueueTimeouts } from "../src/queue/context.ts";
import { QueueCore } from "../src/queue/core.ts";
import { dequeueRuns } from "../src/queue/dequeue.ts";
import { retrieveRun } from "../src/queue/run-views.ts";
import { runTimers } from "../src/queue/timers.ts";
import { triggerRun } from "../src/queue/trigger.ts";
import { queueRef } from "../src/routing/partitions.ts";
import type { EnvironmentRef, QueueRef, RunRecord, TriggerItem, TriggerResult } from "../src/rpc.ts";
import { plainEnvironment, plainItem } from "./fixtures.ts";
import { bindings } from "./scene.ts";

const OUTCOME: AttemptOutcome = { type: "success", output: '"done"', outputType: "application/json" };

/** The core of one queue over workerd's SQLite, with a clock that the test moves. */
export class CoreScene {
  readonly ref: QueueRef;
  readonly core: QueueCore;
  now = 1_800_000_000_000;
  effects: Effects | undefined;

  constructor(
    storage: DurableObjectStorage,
    options: { environment?: Partial<EnvironmentRef>; timeouts?: Partial<QueueTimeouts> } = {},
  ) {
    const environment = { ...plainEnvironment(randomBase36(8)), ...options.environment };
    this.ref = queueRef(environment, defaultQueueName("task"));
    const { timeouts } = options;
    this.core = new QueueCore({ sql: objectSql(storage), now: () => this.now, random: () => 0.5, timeouts });
    this.core.create(this.ref, {});
  }

  commit<T>(work: (q: QueueContext) => T): T {
    const { result, effects } = this.core.commit(work);
    this.effects = effects;
    return result;
  }

  item(changes: Partial<TriggerItem> = {}): TriggerItem {
    return { ...plainItem(newRunId(this.ref.queueKey, this.now)), ...changes };
  }

  trigger(changes: Partial<TriggerItem> = {}): TriggerResult {
    return this.commit((q) => triggerRun(q, this.item(changes)));
  }

  dequeue(max = 1): DequeuedRun[] {
    const deployment = { id: "deployment_1", version: "1", contentHash: "0" };
    const grant = { epoch: 1, max, prefetched: 0, hostId: "host", sessionId: "session", deployment };
    return this.commit((q) => dequeueRuns(q, grant)).runs.map(({ json }) => JSON.parse(json) as DequeuedRun);
  }

  start({ runId, token }: { runId: string; token: number }) {
    return this.commit((q) => attemptStarted(q, { runId, token, startedAt: this.now }));
  }

  complete({ runId, token }: { runId: string; token: number }, outcome: AttemptOutcome = OUTCOME) {
    const report = { runId, token, startedAt: this.now, completedAt: this.now, usageMs: 1, outcome };
    return this.commit((q) => attemptCompleted(q, report));
  }

  /** Moves the clock and performs everything that is due then. */
  passes(ms: number): void {
    this.now += ms;
    while (this.commit((q) => runTimers(q)));
  }

  run(runId: string): RunRecord | null {
    return retrieveRun(this.core.context, runId);
  }
}

/** Runs `work` with a queue's core over the storage of an object that nothing else uses. */
export const withCore = (
  work: (scene: CoreScene) => void,
  options: ConstructorParameters<typeof CoreScene>[1] = {},
): Promise<void> =>
  runInDurableObject(bindings.FEED.getByName(`core:${randomBase36(8)}`), (_, { storage }) =>
    work(new CoreScene(storage, options)),
  );
