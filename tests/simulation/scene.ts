import type {
  EnvironmentRef,
  QueueDeclaration,
  QueueRef,
  QueueRpc,
  TriggerItem,
} from "@acme/durable-objects/rpc";
import {
  defaultQueueName,
  type NamedLimitManifest,
  newRunId,
  parseRunId,
  type QueueLimits,
  type RateLimit,
} from "@acme/sdk/contract";
import { partitionOf, queueRef } from "../../durable-objects/src/routing/partitions.ts";
import { plainEnvironment, plainItem } from "../../durable-objects/test/fixtures.ts";
import type { Invariants } from "./invariants.ts";
import type { Platform } from "./platform.ts";
import type { Scenario } from "./scenario.ts";
import type { World } from "./world.ts";

const DAY_MS = 24 * 3_600_000;
/** The maximum number of partitions of a queue. */
export const MOST_PARTITIONS = 4;
/** Keys with this time to live are valid for longer than an ended run is kept. */
export const LONG_TTL_MS = 90 * DAY_MS;

/**
 * State that all actors of a simulation share: environments and queues, and how a Worker calls the objects.
 */
export class Scene {
  readonly world: World;
  readonly platform: Platform;
  readonly invariants: Invariants;
  readonly scenario: Scenario;
  readonly environments: EnvironmentRef[];
  /** The first partition of each. */
  readonly queues: QueueRef[];
  /** By queue key: all partitions that may exist. */
  readonly #partitions: ReadonlyMap<string, QueueRef>;
  /** How many partitions Workers spread runs over, by key of the first one. */
  readonly split = new Map<string, number>();
  readonly limits: ReadonlyMap<string, QueueLimits>;
  /** Named limits that runs of several queues share. */
  readonly named: readonly NamedLimitManifest[];
  /** Environments whose deployment is known to the Workers. */
  readonly deployed = new Set<string>();
  /** Environment key by token and by batch. */
  readonly tokens = new Map<string, string>();
  readonly batches = new Map<string, string>();
  /**
   * Runs of idempotency keys with `LONG_TTL_MS`, each with a function that repeats the trigger and returns
   * its run.
   */
  readonly longKeys = new Map<string, { runId: string; again: () => Promise<string> }>();
  /** Paused queues, by key. */
  readonly paused = new Set<string>();
  /** Number of clients that have not finished. */
  open = 0;

  constructor(world: World, platform: Platform, invariants: Invariants, scenario: Scenario, places: Places) {
    this.world = world;
    this.platform = platform;
    this.invariants = invariants;
    this.scenario = scenario;
    this.environments = places.environments;
    this.queues = places.queues;
    this.limits = places.limits;
    this.named = places.named;
    this.#partitions = places.partitions;
    for (const [queueKey, { partitions }] of places.limits) this.split.set(queueKey, partitions ?? 1);
  }

  queue(queueKey: string): QueueRpc {
    return this.platform.stub<QueueRpc>("QUEUE", queueKey);
  }

  ownerOf(runId: string): QueueRef {
    return this.#partitions.get(parseRunId(runId)?.queueKey as string) as QueueRef;
  }

  /**
   * Returns the partition in which a Worker puts a run: that of `name`, which is its concurrency key or any
   * other text.
   */
  partitionFor({ environment, queue, queueKey }: QueueRef, name: string): QueueRef {
    return queueRef(environment, queue, partitionOf(name, this.split.get(queueKey) ?? 1));
  }

  queuesOf(environmentKey: string): QueueRef[] {
    return this.queues.filter((queue) => queue.environment.key === environmentKey);
  }

  /** The declaration of the queue as a Worker knows it, with the number of the promotion once the Worker knows that. */
  declarationOf({ environment, queue }: QueueRef): QueueDeclaration {
    const { queueKey } = queueRef(environment, queue);
    const promotion = this.deployed.has(environment.key) ? 1 : undefined;
    return { ...this.limits.get(queueKey), promotion };
  }

  /** Runs `work` as one more client. The simulation waits for it. */
  client(work: () => Promise<void>): void {
    this.open += 1;
    void work().then(() => {
      this.open -= 1;
    });
  }

  /** Repeats a call until it is answered: calls are idempotent. */
  async persist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch {
        await this.world.sleep(this.world.between(10, 1_000));
      }
    }
  }

  /** Creates the item's run, or finds the existing one by its id or its key. */
  async trigger(item: TriggerItem): Promise<string> {
    const ref = this.ownerOf(item.runId);
    const [result] = await this.persist(() =>
      this.queue(ref.queueKey).triggerRuns(ref, this.declarationOf(ref), [item]),
    );
    return (result as { runId: string }).runId;
  }

  /**
   * Returns a trigger for a run of the queue, in one of its partitions. `spread` determines which one if it
   * has no concurrency key.
   */
  item(ref: QueueRef, changes: Partial<TriggerItem> = {}, spread?: string): TriggerItem {
    const { world } = this;
    const task = ref.queue.slice("task/".length);
    const unique = this.unique();
    const drawn = world.chance(0.3) ? `tenant-${world.between(1, this.scenario.keys)}` : undefined;
    const concurrencyKey = "concurrencyKey" in changes ? changes.concurrencyKey : drawn;
    const { queueKey } = this.partitionFor(ref, concurrencyKey ?? spread ?? unique);
    return {
      ...plainItem(
        newRunId(queueKey, Date.now(), () => unique),
        task,
      ),
      concurrencyKey,
      limits: this.#drawNamed(),
      priorityMs: world.chance(0.2) ? world.between(0, 60) * 1_000 : 0,
      delayUntil: world.chance(0.1) ? Date.now() + world.between(0, 30_000) : undefined,
      ttlMs: world.chance(0.05) ? world.between(1_000, 60_000) : undefined,
      maxAttempts: world.chance(0.2) ? world.between(1, 5) : undefined,
      retry: world.chance(0.2) ? { outOfMemory: { machine: "medium-1x" } } : undefined,
      known: this.deployed.has(ref.environment.key),
      ...changes,
    };
  }

  /** Names of limits that a run holds: none, one or two. */
  #drawNamed(): string[] | undefined {
    const { named, world } = this;
    if (named.length === 0 || world.chance(0.5)) return undefined;
    const names = named.map(({ name }) => name);
    return world.chance(0.3) ? names : [world.pick(names)];
  }

  /** 8 characters of base 36. */
  unique(): string {
    return Math.floor(this.world.random() * 36 ** 8)
      .toString(36)
      .padStart(8, "0");
  }
}

export interface Places {
  environments: EnvironmentRef[];
  queues: QueueRef[];
  /** By queue key: all partitions of all queues. */
  partitions: Map<string, QueueRef>;
  /** By key of the first partition; others have no limits of their own. */
  limits: Map<string, QueueLimits>;
  /** Limits with names, of every environment. */
  named: NamedLimitManifest[];
}

export function placesOf(scenario: Scenario, world: World): Places {
  const environments = Array.from({ length: scenario.environments }, (_, index) => environment(index));
  const limits = new Map<string, QueueLimits>();
  const queues = environments.flatMap((env) =>
    Array.from({ length: scenario.queues }, (_, index): QueueRef => {
      const ref = queueRef(env, defaultQueueName(`task-${index}`));
      const partitions = world.chance(0.4) ? world.between(2, MOST_PARTITIONS) : undefined;
      if (scenario.kind === "backlog") {
        if (partitions) limits.set(ref.queueKey, { partitions });
      } else if (scenario.kind === "split" || index >= scenario.queues / 2) {
        limits.set(ref.queueKey, { ...drawLimits(world, scenario.queueLimit), partitions });
      }
      return ref;
    }),
  );
  const partitions = new Map<string, QueueRef>();
  for (const { environment, queue } of queues) {
    for (let partition = 0; partition < MOST_PARTITIONS; partition++) {
      const ref = queueRef(environment, queue, partition);
      partitions.set(ref.queueKey, ref);
    }
  }
  return { environments, queues, partitions, limits, named: drawNamedLimits(world, scenario) };
}

function drawLimits(world: World, concurrencyLimit: number): QueueLimits {
  const rate = (): RateLimit => ({
    limit: world.between(1, 20),
    period: world.between(2_000, 20_000),
    burst: world.between(1, 5),
  });
  return {
    concurrencyLimit: world.chance(0.8) ? concurrencyLimit : undefined,
    totalConcurrencyLimit: world.chance(0.5) ? concurrencyLimit + world.between(0, 4) : undefined,
    rateLimit: world.chance(0.3) ? rate() : undefined,
    rateLimitPerKey: world.chance(0.3) ? rate() : undefined,
  };
}

/** In a backlog scenario, only the hosts' capacity is short. */
function drawNamedLimits(world: World, { kind }: Scenario): NamedLimitManifest[] {
  if (kind === "backlog" || world.chance(0.3)) return [];
  const total = () => world.between(1, 4);
  return [
    { name: "shared", total: total() },
    { name: "by-key", perKey: world.between(1, 2), ...(world.chance(0.5) && { total: total() }) },
  ];
}

const environment = (index: number): EnvironmentRef =>
  plainEnvironment(`env${index.toString().padStart(5, "0")}`, `env_${index}`);
