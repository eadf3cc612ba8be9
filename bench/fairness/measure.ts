import type {
  EnvironmentRef,
  EnvironmentRpc,
  QueueRef,
  QueueRpc,
  TriggerItem,
} from "@acme/durable-objects/rpc";
import { type DequeuedRun, defaultQueueName, newRunId } from "@acme/sdk/contract";
import { dispatcherObject } from "../../durable-objects/src/dispatcher/object.ts";
import { environmentObject } from "../../durable-objects/src/environment/object.ts";
import { queueObject } from "../../durable-objects/src/queue/object.ts";
import { queueRef } from "../../durable-objects/src/routing/partitions.ts";
import { plainEnvironment, plainItem } from "../../durable-objects/test/fixtures.ts";
import { NO_FAULTS } from "../../tests/simulation/faults.ts";
import { NO_TUNNELS } from "../../tests/simulation/no-tunnels.ts";
import { NobodyListens } from "../../tests/simulation/nobody-listens.ts";
import { Platform } from "../../tests/simulation/platform.ts";
import { World } from "../../tests/simulation/world.ts";
import { BusyHost } from "./host.ts";

/** Many environments compete for a few hosts; one of them has queued its runs long before the others. */
export interface FairnessOptions {
  /** The early one included. */
  environments: number;
  /** Runs that the early one queues before anybody else. */
  earlyRuns: number;
  /** Runs that each of the others queues then, times its weight. */
  runsEach: number;
  hosts: number;
  slotsPerHost: number;
  /** Environments that come while all are backlogged, each with one run. */
  newcomers: number;
  /** Share of an environment; the early one is 0. */
  weightOf(index: number): number;
}

export interface Fairness {
  /** Starts by environment, from when all were backlogged until the first had nothing left. */
  starts: number[];
  /** Jain's index of starts by weight: 1 is perfectly fair, 1 / environments is all to one. */
  jain: number;
  newcomers: {
    /** Milliseconds from trigger to start, virtual, sorted. */
    waits: number[];
    /** Runs of others that were started meanwhile, sorted. */
    overtakenBy: number[];
  };
  /** Runs a second, virtual. */
  throughput: number;
  /** Milliseconds that a newcomer would wait behind all that was queued before it. */
  fifoWait: number;
}

const TASK = "task";
const RUN_MS = 1_000;
const TRIGGERS_A_CALL = 1_000;

/** (Σx)² / (n · Σx²). */
export function jainIndex(values: number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}

/** The real objects in plain Node, with hosts that take a second of virtual time for each run. */
export async function measureFairness(options: FairnessOptions): Promise<Fairness> {
  const world = new World(1);
  const restore = world.install();
  try {
    return await new Competition(world, options).run();
  } finally {
    restore();
  }
}

class Competition {
  readonly #world: World;
  readonly #options: FairnessOptions;
  readonly #platform: Platform;
  /** As `Fairness.starts`. */
  readonly #starts: number[];
  readonly #newcomers = new Map<string, { triggeredAt: number; startsBefore: number }>();
  readonly #waits: number[] = [];
  readonly #overtakenBy: number[] = [];
  #started = 0;
  #counting = false;
  #drained = false;
  #unique = 0;

  constructor(world: World, options: FairnessOptions) {
    this.#world = world;
    this.#options = options;
    this.#platform = new Platform(world, { ...NO_FAULTS, maxLatencyMs: 2 }, () => false);
    this.#platform.define("QUEUE", queueObject({ openProjection: () => ({ upsertRuns: async () => {} }) }));
    this.#platform.define("ENVIRONMENT", environmentObject());
    this.#platform.define("DISPATCHER", dispatcherObject(NO_TUNNELS));
    this.#platform.define("LIVE", NobodyListens);
    this.#starts = Array<number>(options.environments).fill(0);
  }

  async run(): Promise<Fairness> {
    const { environments, earlyRuns, runsEach, hosts, slotsPerHost, newcomers } = this.#options;
    const others = Array.from({ length: environments - 1 }, (_, index) => index + 1);
    await this.#until(this.#trigger(0, earlyRuns));
    for (let index = 0; index < hosts; index++) void this.#host(`host-${index}`).work();
    // For a while, the early environment has all slots of the hosts to itself.
    await this.#until(this.#world.sleep(5 * RUN_MS));
    await this.#until(
      Promise.all(others.map((index) => this.#trigger(index, runsEach * this.#options.weightOf(index)))),
    );
    const from = this.#world.now;
    const before = this.#started;
    this.#counting = true;
    // Spread over the time in which all environments are backlogged.
    const backlogged = ((environments * runsEach) / (hosts * slotsPerHost)) * RUN_MS;
    for (let n = 0; n < newcomers; n++)
      this.#world.after(
        ((n + 0.5) / newcomers) * 0.8 * backlogged,
        () => void this.#newcomer(environments + n),
      );
    while (!this.#drained) await this.#step();
    const throughput = ((this.#started - before) / (this.#world.now - from)) * 1_000;
    while (this.#waits.length < newcomers) await this.#step();
    return {
      starts: this.#starts,
      jain: jainIndex(this.#starts.map((count, index) => count / this.#options.weightOf(index))),
      newcomers: {
        waits: this.#waits.toSorted((a, b) => a - b),
        overtakenBy: this.#overtakenBy.toSorted((a, b) => a - b),
      },
      throughput,
      fifoWait: ((earlyRuns + others.length * runsEach) / throughput) * 1_000,
    };
  }

  async #trigger(index: number, count: number): Promise<void> {
    const ref = await this.#deployed(index);
    for (let left = count; left > 0; left -= TRIGGERS_A_CALL) {
      const items = Array.from({ length: Math.min(left, TRIGGERS_A_CALL) }, () => this.#item(ref));
      await this.#queue(ref).triggerRuns(ref, { promotion: 1 }, items);
    }
  }

  async #newcomer(index: number): Promise<void> {
    const ref = await this.#deployed(index);
    const item = this.#item(ref);
    this.#newcomers.set(item.runId, { triggeredAt: this.#world.now, startsBefore: this.#started });
    await this.#queue(ref).triggerRuns(ref, { promotion: 1 }, [item]);
  }

  /** The task's queue of an environment that has a deployment. */
  async #deployed(index: number): Promise<QueueRef> {
    const environment = environmentOf(index);
    const stub = this.#platform.stub<EnvironmentRpc>("ENVIRONMENT", environment.key);
    const concurrencyLimit = this.#options.hosts * this.#options.slotsPerHost;
    await stub.updateEnvironment(environment, { weight: this.#options.weightOf(index), concurrencyLimit });
    await stub.promoteDeployment(environment, {
      deployment: { id: "deployment", version: "20270101.1", contentHash: "0" },
      manifest: { tasks: [{ id: TASK, filePath: "t.ts" }], queues: [], runtime: "node", sdkVersion: "0" },
    });
    return queueRef(environment, defaultQueueName(TASK));
  }

  #item(ref: QueueRef): TriggerItem {
    this.#unique += 1;
    const unique = this.#unique.toString(36).padStart(8, "0");
    return plainItem(
      newRunId(ref.queueKey, Math.floor(this.#world.now), () => unique),
      TASK,
    );
  }

  #host(hostId: string): BusyHost {
    return new BusyHost(this.#world, this.#platform, {
      hostId,
      slots: this.#options.slotsPerHost,
      runMs: RUN_MS,
      onStart: (run) => this.#onStart(run),
    });
  }

  #onStart({ runId, environment }: DequeuedRun): void {
    this.#started += 1;
    const newcomer = this.#newcomers.get(runId);
    if (newcomer) {
      this.#waits.push(this.#world.now - newcomer.triggeredAt);
      this.#overtakenBy.push(this.#started - 1 - newcomer.startsBefore);
      return;
    }
    if (!this.#counting || this.#drained) return;
    const index = indexOf(environment.key);
    const count = (this.#starts[index] ?? 0) + 1;
    this.#starts[index] = count;
    // Some runs started before all environments were backlogged, so nobody's last run counts.
    const last = (this.#options.runsEach - 2) * this.#options.weightOf(index);
    if (index > 0 && count >= last) this.#drained = true;
  }

  #queue(ref: QueueRef): QueueRpc {
    return this.#platform.stub<QueueRpc>("QUEUE", ref.queueKey);
  }

  async #until<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finished = work.finally(() => {
      done = true;
    });
    while (!done) await this.#step();
    return finished;
  }

  async #step(): Promise<void> {
    if (!(await this.#world.step())) throw new Error("The world stands still");
  }
}

const environmentOf = (index: number): EnvironmentRef =>
  plainEnvironment(index.toString().padStart(8, "0"), `env_${index}`);

const indexOf = (environmentKey: string): number => Number(environmentKey);
