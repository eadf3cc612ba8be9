import type { DequeuedRun } from "@acme/sdk/contract";
import type { ReadyDeployment } from "../deployments.ts";
import type { Lane, Work } from "./runtime.ts";

/** The properties of a run that, with its deployment, decide its lane. */
export interface LaneOf {
  environment: Pick<DequeuedRun["environment"], "key">;
  machine: DequeuedRun["machine"];
}

/** Lanes by the options with which their runtimes are started. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();

  [Symbol.iterator](): Iterator<Lane> {
    return this.#lanes.values();
  }

  /** Returns the lane of a run, which is created if it is missing. */
  of(run: LaneOf, ready: ReadyDeployment): Lane {
    const { contentHash } = ready.deployment;
    const key = `${run.environment.key} ${contentHash} ${ready.image ?? ""} ${run.machine} ${ready.envHash}`;
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = {
        key,
        ready,
        environmentKey: run.environment.key,
        machine: run.machine,
        waiting: [],
        runtimes: new Set(),
        idle: [],
        busy: 0,
        starting: 0,
        usualMs: new Map(),
        usedAt: 0,
        unloadable: false,
      };
      this.#lanes.set(key, lane);
    }
    // The next runtime starts with the newest token.
    lane.ready = ready;
    return lane;
  }

  /** Removes a waiting run. */
  withdraw(work: Work): void {
    for (const { waiting } of this.#lanes.values()) {
      const index = waiting.findIndex((entry) => entry.work === work);
      if (index === -1) continue;
      waiting.splice(index, 1);
      return;
    }
  }

  removeUnused(lane: Lane, now: number, idleMs: number): void {
    if (lane.runtimes.size === 0 && lane.waiting.length === 0 && now - lane.usedAt > idleMs)
      this.#lanes.delete(lane.key);
  }
}
