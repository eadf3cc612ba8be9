import type {
  EnvironmentRef,
  EnvironmentRpc,
  QueueRef,
  QueueRpc,
  RunRow,
  TriggerItem,
} from "@acme/durable-objects/rpc";
import {
  type DequeuedRun,
  defaultQueueName,
  newRunId,
  parseRunId,
  type RunIdParts,
} from "@acme/sdk/contract";
import { dispatcherObject } from "../../durable-objects/src/dispatcher/object.ts";
import { environmentObject } from "../../durable-objects/src/environment/object.ts";
import { idempotencyHomeOf, queueKeyOf } from "../../durable-objects/src/keys.ts";
import { queueObject } from "../../durable-objects/src/queue/object.ts";
import { type Operation, SimulatedHost } from "./host.ts";
import { Invariants } from "./invariants.ts";
import { type Faults, Platform } from "./platform.ts";
import { World } from "./world.ts";

export interface Scenario {
  environments: number;
  /** Queues an environment has; the second half of them limits its concurrency. */
  queues: number;
  hosts: number;
  runs: number;
  environmentLimit: number;
  queueLimit: number;
  faults: Faults;
  /** Mean virtual time between two kills of a host or an object; 0: none. */
  killEveryMs: number;
  /** Longest a run is given to end once faults have stopped. */
  patienceMs: number;
}

export interface Result {
  seed: number;
  steps: number;
  /** Virtual milliseconds. */
  took: number;
  runs: number;
}

/** A scenario drawn from the seed: from calm to rough, from a few runs to hundreds. */
export function drawScenario(world: World): Scenario {
  const rough = world.random();
  return {
    environments: world.between(1, 3),
    queues: world.between(1, 4),
    hosts: world.between(1, 4),
    runs: world.between(20, 200),
    environmentLimit: world.between(1, 30),
    queueLimit: world.between(1, 8),
    faults: {
      lostRequest: rough * 0.05,
      lostReply: rough * 0.05,
      crash: rough * 0.01,
      maxLatencyMs: world.between(1, 100),
    },
    killEveryMs: world.chance(0.7) ? world.between(2_000, 60_000) : 0,
    patienceMs: 4 * 3_600_000,
  };
}

/** Runs one seed to its end. Throws, naming the seed, when an invariant breaks. The same seed always does the same. */
export async function simulate(
  seed: number,
  change: (scenario: Scenario) => Scenario = (s) => s,
): Promise<Result> {
  const world = new World(seed);
  const restore = world.install();
  try {
    return await new Simulation(world, seed, change(drawScenario(world))).run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Seed ${seed}, step ${world.steps}: ${reason}\nReplay it: npm run simulate -- --seed ${seed}`,
      {
        cause: error,
      },
    );
  } finally {
    restore();
  }
}

class Simulation {
  readonly #world: World;
  readonly #seed: number;
  readonly #scenario: Scenario;
  readonly #platform: Platform;
  readonly #invariants: Invariants;
  readonly #environments: EnvironmentRef[];
  readonly #queues: QueueRef[] = [];
  readonly #hosts: SimulatedHost[] = [];
  readonly #limits = new Map<string, number>();
  #open = 0;

  constructor(world: World, seed: number, scenario: Scenario) {
    this.#world = world;
    this.#seed = seed;
    this.#scenario = scenario;
    this.#platform = new Platform(world, scenario.faults);
    this.#invariants = new Invariants(this.#platform, this.#limits, scenario.environmentLimit);
    const openProjection = () => ({ upsertRuns: (rows: RunRow[]) => this.#project(rows) });
    this.#platform.define("QUEUE", queueObject({ openProjection }));
    this.#platform.define("ENVIRONMENT", environmentObject());
    this.#platform.define("DISPATCHER", dispatcherObject());
    this.#environments = Array.from({ length: scenario.environments }, (_, index) => environment(index));
    for (const env of this.#environments) {
      for (let index = 0; index < scenario.queues; index++) {
        const queue = defaultQueueName(`task-${index}`);
        const queueKey = queueKeyOf(env.key, queue);
        this.#queues.push({ environment: env, queue, partition: 0, queueKey });
        if (index >= scenario.queues / 2) this.#limits.set(queueKey, scenario.queueLimit);
      }
    }
  }

  async run(): Promise<Result> {
    const startedAt = this.#world.now;
    const { hosts, runs, killEveryMs, patienceMs } = this.#scenario;
    for (const env of this.#environments) void this.#promote(env);
    for (let index = 0; index < hosts; index++) this.#hosts.push(this.#host(`host-${index}`));
    for (const host of this.#hosts) this.#world.after(this.#world.between(0, 5_000), () => host.start());
    for (let index = 0; index < runs; index++) {
      this.#open += 1;
      this.#world.after(this.#world.between(0, 60_000), () => void this.#client());
    }
    let killing = killEveryMs > 0;
    if (killing) this.#kills(() => killing);
    const stormEnds = startedAt + 120_000;
    while (this.#world.now < stormEnds) await this.#step();
    killing = false;
    this.#platform.faults = { lostRequest: 0, lostReply: 0, crash: 0, maxLatencyMs: 5 };
    const deadline = this.#world.now + patienceMs;
    while (this.#open > 0 || !this.#invariants.settled()) {
      if (this.#world.now > deadline) throw new Error(`not done in time: ${this.#invariants.unsettled()}`);
      await this.#step();
    }
    this.#invariants.atEnd();
    return { seed: this.#seed, steps: this.#world.steps, took: this.#world.now - startedAt, runs };
  }

  async #step(): Promise<void> {
    if (!(await this.#world.step()))
      throw new Error(`the world stands still: ${this.#invariants.unsettled()}`);
    this.#invariants.check();
  }

  async #promote(env: EnvironmentRef): Promise<void> {
    const stub = this.#platform.stub<EnvironmentRpc>("ENVIRONMENT", env.key);
    const tasks = Array.from({ length: this.#scenario.queues }, (_, index) => ({
      id: `task-${index}`,
      filePath: "t.ts",
      queue: {
        concurrencyLimit: this.#limits.get(queueKeyOf(env.key, defaultQueueName(`task-${index}`))) ?? null,
      },
    }));
    const manifest = { tasks, queues: [], runtime: "node" as const, sdkVersion: "0" };
    const deployment = { id: "deployment_1", version: "20270115.1", contentHash: "0" };
    await this.#persist(() =>
      stub.updateEnvironment(env, { concurrencyLimit: this.#scenario.environmentLimit }),
    );
    // Some runs are triggered before any deployment knows their task.
    await this.#world.sleep(this.#world.between(0, 20_000));
    await this.#persist(() => stub.promoteDeployment(env, { deployment, manifest }));
    env.slug = "deployed";
  }

  /** A client triggers one run, insisting until it is acknowledged, and may cancel it later. */
  async #client(): Promise<void> {
    const world = this.#world;
    const ref = world.pick(this.#queues);
    const task = ref.queue.slice("task/".length);
    const key = world.chance(0.3) ? `key-${world.between(0, 5)}` : null;
    const item = this.#item(ref, task, key);
    const runId = key ? await this.#triggerOnce(ref, task, key, item) : await this.#trigger(ref, item);
    this.#invariants.acknowledged(runId, key ? `${ref.environment.key} ${task} ${key}` : null);
    if (world.chance(0.1)) {
      await world.sleep(world.between(0, 10_000));
      const stub = this.#platform.stub<QueueRpc>("QUEUE", ref.queueKey);
      await this.#persist(() => stub.cancelRun(ref.environment.key, runId, "simulated cancel"));
    }
    this.#open -= 1;
  }

  async #trigger(ref: QueueRef, item: TriggerItem): Promise<string> {
    const stub = this.#platform.stub<QueueRpc>("QUEUE", ref.queueKey);
    const declaration = { concurrencyLimit: this.#limits.get(ref.queueKey) ?? null };
    const [result] = await this.#persist(() => stub.triggerRuns(ref, declaration, [item]));
    return (result as { runId: string }).runId;
  }

  /** With an idempotency key, sometimes into another queue than the task's own, where the key's home is. */
  async #triggerOnce(ref: QueueRef, task: string, key: string, item: TriggerItem): Promise<string> {
    const expiresAt = this.#world.now + 30 * 24 * 3_600_000;
    const homeKey = idempotencyHomeOf(ref.environment.key, task);
    const other = this.#queues.filter((q) => q.environment === ref.environment && q !== ref);
    const target = other.length > 0 && this.#world.chance(0.5) ? this.#world.pick(other) : ref;
    if (target.queueKey === homeKey) {
      return this.#trigger(ref, { ...item, idempotency: { key, expiresAt, claim: true } }).then((runId) =>
        this.#ensure(runId, item),
      );
    }
    const home = this.#platform.stub<QueueRpc>("QUEUE", homeKey);
    const runId = newRunId(target.queueKey, this.#world.now, () => this.#unique());
    const claimed = await this.#persist(() => home.claimIdempotencyKey(ref, { task, key, runId, expiresAt }));
    return this.#ensure(claimed.runId, item);
  }

  /** Creates a claimed run in its own queue, if whoever claimed it did not get to. */
  #ensure(runId: string, item: TriggerItem): Promise<string> {
    const owner = this.#queues.find((q) => runId.startsWith(`run_${q.queueKey}`)) as QueueRef;
    return this.#trigger(owner, { ...item, runId, idempotency: undefined });
  }

  /** As the Worker does for a trigger inside a run: the parent's journal knows the child before it is created. */
  async #child(run: DequeuedRun, number: number): Promise<void> {
    const { queueKey, environmentKey } = parseRunId(run.runId) as RunIdParts;
    const ref = this.#world.pick(this.#queues.filter((queue) => queue.environment.key === environmentKey));
    const task = ref.queue.slice("task/".length);
    const item = { ...this.#item(ref, task, null), depth: run.parentRunId ? 2 : 1, parentRunId: run.runId };
    const parent = this.#platform.stub<QueueRpc>("QUEUE", queueKey);
    const operation = { runId: run.runId, attempt: run.attempt, number };
    const claim = await this.#persist(() =>
      parent.claimOperation(environmentKey, { ...operation, kind: "run", name: task, target: item.runId }),
    );
    // The attempt is over: its host is told so by the next report.
    if ("error" in claim) return;
    const owner = this.#queues.find((queue) => claim.target.startsWith(`run_${queue.queueKey}`)) as QueueRef;
    const waiter = { type: "operation", ...operation } as const;
    await this.#trigger(owner, { ...item, runId: claim.target, waiter });
    this.#invariants.acknowledged(claim.target, null);
    this.#invariants.child(run, number, claim.target);
  }

  #item(ref: QueueRef, task: string, key: string | null): TriggerItem {
    const world = this.#world;
    return {
      runId: newRunId(ref.queueKey, Math.floor(world.now), () => this.#unique()),
      task,
      payload: JSON.stringify({ key }),
      payloadType: "application/json",
      tags: [],
      concurrencyKey: world.chance(0.3) ? `tenant-${world.between(0, 3)}` : undefined,
      priorityMs: 0,
      delayUntil: world.chance(0.1) ? world.now + world.between(0, 30_000) : undefined,
      ttlMs: world.chance(0.05) ? world.between(1_000, 60_000) : undefined,
      machine: "small-1x",
      isTest: false,
      known: ref.environment.slug === "deployed",
      depth: 0,
    };
  }

  #unique(): string {
    return Math.floor(this.#world.random() * 36 ** 8)
      .toString(36)
      .padStart(8, "0");
  }

  #host(hostId: string): SimulatedHost {
    const world = this.#world;
    return new SimulatedHost(world, this.#platform, {
      hostId,
      slots: world.between(1, 20),
      behaviour: (run) => ({
        durationMs: world.chance(0.02) ? world.between(30_000, 400_000) : world.between(0, 2_000),
        fails: world.chance(0.2),
        operations: operationsOf(run),
      }),
      trigger: (run, number) => this.#child(run, number),
      onStep: (run, number) => this.#invariants.performed(run, number),
      onRecorded: (run, number) => this.#invariants.recorded(run, number),
      onResult: (run, number, result) => this.#invariants.returned(run, number, result),
      onStart: (run) => this.#invariants.started(run),
      onEnd: () => {},
    });
  }

  #kills(go: () => boolean): void {
    this.#world.after(this.#world.between(1, this.#scenario.killEveryMs * 2), () => {
      if (!go()) return;
      if (this.#world.chance(0.5)) {
        const host = this.#world.pick(this.#hosts);
        host.kill();
        this.#world.after(this.#world.between(0, 90_000), () => host.start());
      } else {
        const running = this.#platform.running;
        // Now and then the whole server goes down at once, as it does on one machine.
        for (const id of this.#world.chance(0.2) ? running : [this.#world.pick(running)])
          this.#platform.crash(id);
      }
      this.#kills(go);
    });
  }

  async #project(rows: RunRow[]): Promise<void> {
    const copy = structuredClone(rows);
    await this.#world.sleep(this.#world.between(0, 50));
    if (this.#world.chance(this.#platform.faults.lostRequest))
      throw new Error("simulated: the query side is away");
    this.#invariants.projected(copy);
    if (this.#world.chance(this.#platform.faults.lostReply))
      throw new Error("simulated: the query side's answer was lost");
  }

  async #persist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch {
        await this.#world.sleep(this.#world.between(10, 1_000));
      }
    }
  }
}

/** What a run's code does is decided by its id: each of its attempts and replays does the same. */
function operationsOf(run: DequeuedRun): Operation[] {
  const draw = new World(Number.parseInt(run.runId.slice(-6), 36));
  if (!draw.chance(0.4)) return [];
  return Array.from({ length: draw.between(1, 4) }, (): Operation => {
    const kind = draw.between(0, 2);
    if (kind === 0) return { kind: "step" };
    // Grandchildren have none.
    if (kind === 1 || run.parentRunId) return { kind: "wait", ms: draw.between(0, 60_000) };
    return { kind: "children", count: draw.between(1, 3) };
  });
}

function environment(index: number): EnvironmentRef {
  return {
    key: `env0000${index}`,
    id: `env_${index}`,
    slug: "new",
    type: "PRODUCTION",
    project: { id: "p", ref: "proj", name: "P" },
    organization: { id: "o", slug: "o", name: "O" },
  };
}
