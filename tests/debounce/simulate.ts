import type { DatabaseSync } from "node:sqlite";
import type { QueueRef, QueueRpc, TriggerItem } from "@acme/durable-objects/rpc";
import { defaultQueueName, newRunId } from "@acme/sdk/contract";
import { dispatcherObject } from "../../durable-objects/src/dispatcher/object.ts";
import { environmentObject } from "../../durable-objects/src/environment/object.ts";
import { queueObject } from "../../durable-objects/src/queue/object.ts";
import { enqueueRuns } from "../../durable-objects/src/routing/enqueue.ts";
import { queueRef } from "../../durable-objects/src/routing/partitions.ts";
import { plainEnvironment, plainItem } from "../../durable-objects/test/fixtures.ts";
import { NO_FAULTS } from "../simulation/faults.ts";
import { NobodyListens } from "../simulation/nobody-listens.ts";
import { Platform } from "../simulation/platform.ts";
import { World } from "../simulation/world.ts";

const TASK = "task";
const QUEUES = [defaultQueueName(TASK), "one", "two"];
const TRIGGERS = 80;
const STORM_MS = 60_000;

const ENVIRONMENT = plainEnvironment("env00001");

/**
 * Debounced triggers of one task into three queues while calls are lost, repeated and late, and objects die. Checked after
 * every step: of one key at most one run waits. At the end: every run that a trigger was answered with exists.
 * Returns how many runs the triggers came to. Throws where that is broken.
 */
export async function simulateDebounce(seed: number): Promise<{ triggers: number; runs: number }> {
  const world = new World(seed);
  const restore = world.install();
  try {
    return await new Storm(world).run();
  } catch (error) {
    throw new Error(`Seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
  } finally {
    restore();
  }
}

class Storm {
  readonly #world: World;
  readonly #platform: Platform;
  readonly #answers = new Set<string>();
  #open = TRIGGERS;
  #unique = 0;

  constructor(world: World) {
    this.#world = world;
    const rough = world.random();
    const faults = {
      ...NO_FAULTS,
      lostRequest: rough * 0.1,
      lostReply: rough * 0.1,
      late: rough * 0.02,
      duplicate: rough * 0.05,
      crash: rough * 0.03,
      crashAfterWrite: rough * 0.03,
      maxLatencyMs: world.between(1, 100),
    };
    this.#platform = new Platform(world, faults, () => true);
    this.#platform.define("QUEUE", queueObject({ openProjection: () => ({ upsertRuns: async () => {} }) }));
    this.#platform.define("ENVIRONMENT", environmentObject());
    this.#platform.define("DISPATCHER", dispatcherObject());
    this.#platform.define("LIVE", NobodyListens);
  }

  async run(): Promise<{ triggers: number; runs: number }> {
    for (let n = 0; n < TRIGGERS; n++)
      this.#world.after(this.#world.between(0, STORM_MS), () => void this.#trigger());
    while (this.#open > 0) {
      if (!(await this.#world.step())) throw new Error("the world stands still");
      this.#check();
    }
    const ids = new Set(this.#databases().flatMap((database) => idsOf(database)));
    for (const runId of this.#answers)
      if (!ids.has(runId)) throw new Error(`a trigger was answered with ${runId}, which is not there`);
    return { triggers: TRIGGERS, runs: this.#answers.size };
  }

  /** A client insists, with the same run, until it is answered. */
  async #trigger(): Promise<void> {
    const world = this.#world;
    const target = refOf(world.pick(QUEUES));
    const item = this.#item(target);
    for (;;) {
      try {
        const queueOf = (queueKey: string) => this.#platform.stub<QueueRpc>("QUEUE", queueKey);
        const [result] = await enqueueRuns(queueOf, { target, declaration: {}, items: [item] });
        this.#answers.add(result?.runId ?? "");
        this.#open -= 1;
        return;
      } catch {
        await world.sleep(world.between(10, 1_000));
      }
    }
  }

  #item(target: QueueRef): TriggerItem {
    const world = this.#world;
    const key = `key-${world.between(0, 2)}`;
    const until = Date.now() + world.between(1_000, 6_000);
    this.#unique += 1;
    const unique = this.#unique.toString(36).padStart(8, "0");
    return {
      ...plainItem(
        newRunId(target.queueKey, Date.now(), () => unique),
        TASK,
      ),
      payload: JSON.stringify({ unique }),
      // The first one's, or the last one's: of the same key in any case.
      tags: [key],
      delayUntil: until,
      debounce: { key, until, trailing: world.chance(0.5), claim: true },
    };
  }

  #check(): void {
    const waiting = new Map<string, string>();
    for (const database of this.#databases()) {
      for (const { id, tags } of waitingOf(database)) {
        const other = waiting.get(tags);
        if (other) throw new Error(`${other} and ${id} wait both for ${tags}`);
        waiting.set(tags, id);
      }
    }
  }

  #databases(): DatabaseSync[] {
    return [...this.#platform.databases("QUEUE").values()].filter(
      (database) => database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").all().length > 0,
    );
  }
}

const idsOf = (database: DatabaseSync): string[] =>
  (database.prepare("SELECT id FROM runs").all() as { id: string }[]).map(({ id }) => id);

const waitingOf = (database: DatabaseSync): { id: string; tags: string }[] =>
  database.prepare("SELECT id, tags FROM runs WHERE status = 'DELAYED'").all() as {
    id: string;
    tags: string;
  }[];

const refOf = (queue: string): QueueRef => queueRef(ENVIRONMENT, queue);
