import type { DispatcherRpc, QueueRpc } from "@acme/durable-objects/rpc";
import { type DequeuedRun, HOST_PROTOCOL, parseRunId } from "@acme/sdk/contract";
import type { Platform } from "../../tests/simulation/platform.ts";
import type { World } from "../../tests/simulation/world.ts";

export interface BusyHostOptions {
  hostId: string;
  slots: number;
  /** How long a run takes, in virtual milliseconds. */
  runMs: number;
  onStart(run: DequeuedRun): void;
}

const SUCCESS = { type: "success", outputType: "application/json" } as const;

/** A host that never fails and asks for runs as long as it has free slots. */
export class BusyHost {
  readonly #world: World;
  readonly #platform: Platform;
  readonly #options: BusyHostOptions;
  #free: number;
  #hasRoom = Promise.withResolvers<void>();

  constructor(world: World, platform: Platform, options: BusyHostOptions) {
    this.#world = world;
    this.#platform = platform;
    this.#options = options;
    this.#free = options.slots;
  }

  async work(): Promise<never> {
    const { hostId } = this.#options;
    const dispatcher = this.#platform.stub<DispatcherRpc>("DISPATCHER", "default");
    for (;;) {
      if (this.#free === 0) await this.#hasRoom.promise;
      const { runs } = await dispatcher.poll({
        protocol: HOST_PROTOCOL,
        hostId,
        sessionId: hostId,
        max: this.#free,
        waitMs: 20_000,
      });
      this.#free -= runs.length;
      if (this.#free === 0) this.#hasRoom = Promise.withResolvers();
      for (const { json } of runs) void this.#run(JSON.parse(json) as DequeuedRun);
    }
  }

  async #run(run: DequeuedRun): Promise<void> {
    const { hostId, runMs, onStart } = this.#options;
    onStart(run);
    const startedAt = this.#world.now;
    await this.#world.sleep(runMs);
    const { runId, token } = run;
    const queue = this.#platform.stub<QueueRpc>("QUEUE", parseRunId(runId)?.queueKey ?? "");
    await queue.applyReports({
      hostId,
      sessionId: hostId,
      started: [],
      completed: [{ runId, token, startedAt, completedAt: this.#world.now, outcome: SUCCESS }],
      heartbeats: [],
      journals: [],
      suspensions: [],
      checkpoints: [],
    });
    this.#free += 1;
    this.#hasRoom.resolve();
  }
}
