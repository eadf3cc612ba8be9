import type { EnvironmentRef, EnvironmentRpc, RunRecord } from "@acme/durable-objects/rpc";
import { defaultQueueName, parseRunId } from "@acme/sdk/contract";
import { batchObject } from "../../durable-objects/src/batch/object.ts";
import { dispatcherObject } from "../../durable-objects/src/dispatcher/object.ts";
import { environmentObject } from "../../durable-objects/src/environment/object.ts";
import { feedObject } from "../../durable-objects/src/feed/object.ts";
import { liveObject } from "../../durable-objects/src/live/object.ts";
import { queueObject } from "../../durable-objects/src/queue/object.ts";
import { queueKeyOf } from "../../durable-objects/src/routing/keys.ts";
import { resultOf } from "../../durable-objects/src/waitpoint/core.ts";
import { waitpointObject } from "../../durable-objects/src/waitpoint/object.ts";
import { strike } from "./blows.ts";
import type { Edge } from "./checks/run-changes.ts";
import { type InvariantNumber, Violation } from "./checks/violations.ts";
import { act, fillBacklogs } from "./clients.ts";
import { NO_FAULTS } from "./faults.ts";
import { Feeds } from "./feeds.ts";
import { SimulatedHost } from "./host.ts";
import { Invariants } from "./invariants.ts";
import { Listeners, liveDependencies } from "./listeners.ts";
import { NO_TUNNELS } from "./no-tunnels.ts";
import { NobodyListens } from "./nobody-listens.ts";
import { Platform } from "./platform.ts";
import { QuerySide } from "./query-side.ts";
import { outliveRetention } from "./retention.ts";
import { drawScenario, type Scenario } from "./scenario.ts";
import { placesOf, Scene } from "./scene.ts";
import { keepSchedule } from "./schedules.ts";
import { TaskCode } from "./task-code.ts";
import { tokenObject } from "./tokens.ts";
import { World } from "./world.ts";

export interface Result {
  seed: number;
  kind: Scenario["kind"];
  steps: number;
  /** Virtual milliseconds. */
  took: number;
  runs: number;
  /** The status changes that runs made. */
  edges: Edge[];
  /** A hash of everything that happened, which is the same for two runs of a seed. */
  trace: string;
}

export class SeedFailed extends Error {
  readonly invariant: InvariantNumber | null;

  constructor(message: string, invariant: InvariantNumber | null, cause: unknown) {
    super(message, { cause });
    this.invariant = invariant;
  }
}

/**
 * Calls that the network never delivers twice, because their senders never repeat them. Expiring leases and
 * raised epochs recover from a lost answer.
 */
const SENT_ONCE = new Set(["poll", "deliver", "dequeueForHost", "dequeueRuns"]);

// An object that dies leaves promises that nobody awaits.
process.on("unhandledRejection", (error: unknown) => {
  if (!(error instanceof Error && error.message.startsWith("simulated:"))) throw error;
});

/** How long nothing may happen before the final state is checked. */
const REST_MS = 60_000;
/** How long after that a listener's state may still differ from the owners'. */
const LISTENERS_MS = 120_000;
const LINES = 40;
/** More steps than this in one millisecond count as no progress. */
const MOST_AT_ONCE = 50_000;

export interface SimulateOptions {
  /** What happened to the runs concerned is part of the error. */
  trace?: boolean;
  /** Overrides the kind that the seed would draw. */
  kind?: Scenario["kind"];
  onStatement?: Platform["onStatement"];
}

/**
 * Runs one seed to its end. Throws `SeedFailed` when an invariant breaks. The same seed always does the same.
 */
export async function simulate(
  seed: number,
  { trace = false, kind, onStatement }: SimulateOptions = {},
): Promise<Result> {
  const world = new World(seed, { trace });
  const restore = world.install();
  let simulation: Simulation | undefined;
  try {
    simulation = new Simulation(world, seed, drawScenario(world, kind));
    if (onStatement) simulation.platform.onStatement = onStatement;
    return await simulation.run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const runs = reason.match(/run_[0-9a-z]{35}/g) ?? [];
    const lines = world.trace.last(runs, LINES).map((line) => `\n  ${line}`);
    throw new SeedFailed(
      `Seed ${seed}, step ${world.steps}: ${reason}${lines.join("")}\nReplay it: npm run simulate -- --seed ${seed}${kind ? ` --kind ${kind}` : ""}`,
      error instanceof Violation ? error.invariant : null,
      error,
    );
  } finally {
    restore();
    simulation?.close();
  }
}

class Simulation {
  readonly #world: World;
  readonly #seed: number;
  readonly #scenario: Scenario;
  readonly #platform: Platform;
  readonly #querySide: QuerySide;
  readonly #invariants: Invariants;
  readonly #scene: Scene;
  readonly #hosts: SimulatedHost[] = [];
  /** Null: there are no listeners. */
  readonly #feeds: Feeds | null;
  /** When the clock last moved, and at which step. */
  #movedAt = 0;
  #moved = 0;

  get platform(): Platform {
    return this.#platform;
  }

  constructor(world: World, seed: number, scenario: Scenario) {
    this.#world = world;
    this.#seed = seed;
    this.#scenario = scenario;
    this.#platform = new Platform(world, scenario.faults, (method) => !SENT_ONCE.has(method));
    this.#querySide = new QuerySide(world, () => this.#platform.faults);
    const openProjection = () => this.#querySide;
    this.#platform.define("QUEUE", queueObject({ openProjection }));
    this.#platform.define("ENVIRONMENT", environmentObject());
    this.#platform.define("DISPATCHER", dispatcherObject(NO_TUNNELS));
    const isWatched = scenario.kind === "watched";
    this.#platform.define("LIVE", isWatched ? liveObject(liveDependencies(this.#querySide)) : NobodyListens);
    this.#platform.define("FEED", feedObject());
    this.#platform.define("WAITPOINT", waitpointObject({ openProjection }));
    this.#platform.define("BATCH", batchObject());
    const places = placesOf(scenario, world);
    const { environmentLimit, kind } = scenario;
    const options = {
      limits: places.limits,
      named: places.named,
      partitions: places.partitions,
      environmentLimit,
      measuresShares: kind === "backlog",
      measuresRates: scenario.faults.skewMs === 0,
    };
    this.#invariants = new Invariants(world, this.#platform, this.#querySide, options);
    this.#scene = new Scene(world, this.#platform, this.#invariants, scenario, places);
    this.#feeds = isWatched ? new Feeds(this.#scene) : null;
    const code = new TaskCode(this.#scene);
    for (let index = 0; index < scenario.hosts; index++) {
      const hostId = `host-${index}`;
      const slots = world.between(1, scenario.slots);
      const { invariants } = this.#scene;
      const feeds = this.#feeds ?? undefined;
      this.#hosts.push(new SimulatedHost(world, this.#platform, { hostId, slots, code, invariants, feeds }));
    }
  }

  async run(): Promise<Result> {
    const world = this.#world;
    const scene = this.#scene;
    const { clients, blowEveryMs, stormMs, kind } = this.#scenario;
    for (const env of scene.environments) scene.client(() => this.#promote(env));
    for (const host of this.#hosts)
      world.after(kind === "backlog" ? 5_000 : world.between(0, 5_000), () => host.start());
    if (kind === "backlog") fillBacklogs(scene);
    for (let index = 0; index < clients; index++) {
      // A client counts as open from now on: a clock jump must not end the storm before its clients have come.
      scene.client(async () => {
        await world.sleep(world.between(0, stormMs / 2));
        await act(scene);
      });
    }
    if (kind !== "backlog") this.#keepSchedules();
    const listeners = this.#feeds && new Listeners(scene, this.#feeds);
    listeners?.start();
    let storming = true;
    if (blowEveryMs > 0) strike(scene, this.#hosts, () => !storming);
    while (world.elapsed < stormMs) await this.#step();
    storming = false;
    this.#platform.faults = NO_FAULTS;
    await this.#rest();
    this.#invariants.atEnd();
    const owners = await this.#compare();
    if (listeners) await this.#listen(listeners, owners);
    if (kind !== "backlog") await outliveRetention(scene, () => this.#rest());
    return {
      seed: this.#seed,
      kind,
      steps: world.steps,
      took: world.elapsed,
      runs: this.#invariants.runs.size,
      edges: [...this.#invariants.edges],
      trace: world.trace.digest(),
    };
  }

  close(): void {
    this.#platform.close();
    this.#querySide.close();
  }

  #keepSchedules(): void {
    const world = this.#world;
    for (const env of this.#scene.environments) {
      if (!world.chance(0.4)) continue;
      const count = world.between(1, 5);
      for (let index = 0; index < count; index++)
        this.#scene.client(() => keepSchedule(this.#scene, env, `every-minute-${index}`));
    }
  }

  async #step(): Promise<void> {
    if (this.#world.elapsed > this.#movedAt + 1) {
      this.#movedAt = this.#world.elapsed;
      this.#moved = this.#world.steps;
    }
    if (this.#world.steps > this.#moved + MOST_AT_ONCE)
      throw new Violation(1, `something repeats without progress: ${this.#invariants.unsettled()}`);
    if (!(await this.#world.step()))
      throw new Error(`nothing happens any more: ${this.#invariants.unsettled()}`);
    this.#invariants.check();
  }

  /** Runs until everything has ended and nothing new has begun for `REST_MS`. */
  async #rest(): Promise<void> {
    const deadline = this.#world.elapsed + this.#scenario.patienceMs;
    let restedAt = this.#world.elapsed + REST_MS;
    for (;;) {
      const left = this.#scene.open > 0 ? "a client is not answered" : this.#invariants.unsettled();
      if (left !== "") {
        if (this.#world.elapsed > deadline)
          throw new Violation(left.includes("query side") ? 8 : 1, `not done in time: ${left}`);
        restedAt = this.#world.elapsed + REST_MS;
      } else if (this.#world.elapsed >= restedAt) break;
      await this.#step();
    }
  }

  /** Compares what the query side and the tasks' code received with the answers of the owners. */
  async #compare(): Promise<RunRecord[]> {
    const { projections, operations, violations } = this.#invariants;
    const runs: Record<string, RunRecord | null> = {};
    for (const runId of this.#invariants.runs.keys()) {
      const { queueKey, environmentKey } = parseRunId(runId) as { queueKey: string; environmentKey: string };
      runs[runId] = await this.#answer(this.#scene.queue(queueKey).retrieveRun(environmentKey, runId));
    }
    projections.atEnd("runs", runs);
    const tokens: Record<string, object | null> = {};
    const results = new Map(operations.tokenResults());
    for (const [id, environmentKey] of this.#scene.tokens) {
      const record = await this.#answer(tokenObject(this.#scene, id).retrieveToken(environmentKey));
      tokens[id] = record;
      const got = results.get(id);
      const stands = record && JSON.stringify(resultOf(record));
      if (got && got !== stands)
        violations.report(7, `token ${id} has the result ${stands}, and its operation got ${got}`);
    }
    projections.atEnd("waitpoints", tokens);
    violations.throwFirst();
    return Object.values(runs).filter((run) => run !== null);
  }

  /** Waits until every listener has the owners' state. */
  async #listen(listeners: Listeners, owners: RunRecord[]): Promise<void> {
    const deadline = this.#world.elapsed + LISTENERS_MS;
    for (;;) {
      const difference = listeners.difference(owners);
      if (difference === null) break;
      if (this.#world.elapsed > deadline) throw new Violation(8, difference);
      // Comparing once for many steps of one moment is enough.
      const until = this.#world.elapsed + 100;
      while (this.#world.elapsed < until) await this.#step();
    }
    listeners.stop();
  }

  async #answer<T>(call: Promise<T>): Promise<T> {
    let answered = false;
    void call.finally(() => {
      answered = true;
    });
    while (!answered) await this.#step();
    return call;
  }

  async #promote(env: EnvironmentRef): Promise<void> {
    const scene = this.#scene;
    const stub = this.#platform.stub<EnvironmentRpc>("ENVIRONMENT", env.key);
    const tasks = Array.from({ length: this.#scenario.queues }, (_, index) => ({
      id: `task-${index}`,
      filePath: "t.ts",
      triggerSource: "schedule" as const,
      queue: this.#scene.limits.get(queueKeyOf(env.key, defaultQueueName(`task-${index}`))),
      // Tasks of runs that schedules create, and of runs that wait for the deployment.
      limits: index % 2 === 0 ? this.#scene.named.slice(0, 1).map(({ name }) => name) : undefined,
    }));
    const limits = [...this.#scene.named];
    const manifest = { tasks, limits, queues: [], runtime: "node" as const, sdkVersion: "0" };
    const deployment = { id: "deployment_1", version: "20270115.1", contentHash: "0" };
    await scene.persist(() =>
      stub.updateEnvironment(env, { concurrencyLimit: this.#scenario.environmentLimit }),
    );
    // Some runs are triggered before any deployment knows their task.
    if (this.#scenario.kind !== "backlog") await this.#world.sleep(this.#world.between(0, 20_000));
    await scene.persist(() => stub.promoteDeployment(env, { deployment, manifest }));
    scene.deployed.add(env.key);
  }
}
