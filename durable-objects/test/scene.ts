import { env } from "cloudflare:workers";
import {
  type AttemptCompleted,
  type CheckpointRef,
  type DequeuedRun,
  defaultQueueName,
  HOST_PROTOCOL,
  type JournalEntry,
  type NamedLimitManifest,
  newRunId,
  type QueueLimits,
  randomBase36,
} from "@acme/sdk/contract";
import { queueRef } from "../src/routing/partitions.ts";
import type {
  DispatcherRpc,
  EnvironmentRpc,
  ObjectBindings,
  QueueRef,
  QueueRpc,
  TriggerItem,
} from "../src/rpc.ts";
import { plainEnvironment, plainItem } from "./fixtures.ts";

export const bindings: ObjectBindings = env;

/** A separate environment with one task's queue, and hosts that poll for its runs. */
export class Scene {
  readonly ref: QueueRef;
  readonly hostId = `host-${randomBase36(8)}`;

  constructor(task = "task") {
    this.ref = queueRef(plainEnvironment(randomBase36(8)), defaultQueueName(task));
  }

  get key(): string {
    return this.ref.environment.key;
  }

  get queueStub() {
    return bindings.QUEUE.getByName(this.ref.queueKey);
  }

  get environmentStub() {
    return bindings.ENVIRONMENT.getByName(this.key);
  }

  get dispatcherStub() {
    return bindings.DISPATCHER.getByName("default");
  }

  get queue(): QueueRpc {
    return this.queueStub;
  }

  get environment(): EnvironmentRpc {
    return this.environmentStub;
  }

  get dispatcher(): DispatcherRpc {
    return this.dispatcherStub;
  }

  /** The same environment and host, with another queue. */
  another(queue: string): Scene {
    const scene: Scene = Object.create(this);
    const { environment } = this.ref;
    return Object.defineProperty(scene, "ref", { value: queueRef(environment, queue) });
  }

  async deploy(
    options: {
      concurrencyLimit?: number;
      burstFactor?: number;
      queue?: QueueLimits;
      limits?: NamedLimitManifest[];
    } = {},
  ): Promise<this> {
    const { queue, limits, ...settings } = options;
    await this.environment.updateEnvironment(this.ref.environment, settings);
    await this.environment.promoteDeployment(this.ref.environment, {
      deployment: { id: "deployment_1", version: "20270101.1", contentHash: "0".repeat(64) },
      manifest: {
        tasks: [{ id: "task", filePath: "task.ts", queue }],
        queues: [],
        limits,
        runtime: "node",
        sdkVersion: "0.1.0",
      },
    });
    return this;
  }

  item(changes: Partial<TriggerItem> = {}): TriggerItem {
    return { ...plainItem(newRunId(this.ref.queueKey)), payload: '{"n":1}', ...changes };
  }

  async trigger(changes: Partial<TriggerItem> = {}, concurrencyLimit: number | null = null): Promise<string> {
    // Triggers as a caller that knows the first deployment's declarations.
    const declaration = { concurrencyLimit, promotion: 1 };
    const [result] = await this.queue.triggerRuns(this.ref, declaration, [this.item(changes)]);
    return (result as { runId: string }).runId;
  }

  /**
   * Returns the result of a poll for this host; with `max` 0 only notices. All scenes share one dispatcher,
   * so runs that other tests left queued are ignored.
   */
  async poll(options: { max?: number; waitMs?: number; sessionId?: string } = {}) {
    const { max = 100, waitMs = 500, sessionId = "session-1" } = options;
    for (;;) {
      const { runs, ...rest } = await this.dispatcher.poll({
        protocol: HOST_PROTOCOL,
        hostId: this.hostId,
        sessionId: `${this.hostId}-${sessionId}`,
        max,
        waitMs,
      });
      const own = runs
        .map(({ json }) => JSON.parse(json) as DequeuedRun)
        .filter((run) => run.environment.key === this.key);
      if (own.length > 0 || runs.length === 0) return { ...rest, runs: own };
    }
  }

  /**
   * Returns everything that can be dequeued now. A poll is answered with the first runs that are available.
   */
  async pollAll(): Promise<DequeuedRun[]> {
    const all: DequeuedRun[] = [];
    for (;;) {
      const { runs } = await this.poll({ waitMs: 200 });
      if (runs.length === 0) return all;
      all.push(...runs);
    }
  }

  async report(parts: {
    started?: DequeuedRun;
    completed?: DequeuedRun;
    heartbeat?: DequeuedRun;
    outcome?: AttemptCompleted["outcome"];
    journal?: { run: DequeuedRun; entries: JournalEntry[] };
    suspended?: { run: DequeuedRun; waits: number[]; checkpoint?: CheckpointRef; usageMs?: number };
  }) {
    const at = Date.now();
    const { started, completed, heartbeat, journal, suspended } = parts;
    const outcome = parts.outcome ?? { type: "success", output: '"done"', outputType: "application/json" };
    const verdicts = await this.queue.applyReports({
      hostId: this.hostId,
      sessionId: `${this.hostId}-session-1`,
      started: started ? [{ runId: started.runId, token: started.token, startedAt: at }] : [],
      completed: completed
        ? [{ runId: completed.runId, token: completed.token, startedAt: at, completedAt: at, outcome }]
        : [],
      journals: journal
        ? [{ ...leaseOf(journal.run), attempt: journal.run.attempt, entries: journal.entries }]
        : [],
      suspensions: suspended
        ? [
            {
              ...leaseOf(suspended.run),
              waits: suspended.waits,
              checkpoint: suspended.checkpoint,
              usageMs: suspended.usageMs,
            },
          ]
        : [],
      heartbeats: heartbeat ? [{ runId: heartbeat.runId, token: heartbeat.token }] : [],
      checkpoints: [],
    });
    const { suspensions, journals, ...others } = verdicts;
    return [...others.started, ...journals, ...others.completed, ...suspensions, ...others.heartbeats];
  }

  async run(runId: string) {
    const run = await this.queue.retrieveRun(this.key, runId);
    if (!run) throw new Error(`Run ${runId} is not there`);
    return run;
  }
}

const leaseOf = ({ runId, token }: DequeuedRun) => ({ runId, token });
