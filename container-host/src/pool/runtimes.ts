import { minus, NOTHING, plus, type Resources, roomFor } from "../resources.ts";
import type { Lane, Runtime, RuntimeState } from "./runtime.ts";

const NEXT: Record<RuntimeState, readonly RuntimeState[]> = {
  starting: ["idle", "leaving", "gone"],
  restoring: ["busy", "leaving", "gone"],
  idle: ["busy", "leaving", "gone"],
  busy: ["idle", "saving", "leaving", "gone"],
  saving: ["gone"],
  leaving: ["gone"],
  gone: [],
};

/** All runtimes of a host with their states and counters. */
export class Runtimes {
  readonly #all = new Set<Runtime>();
  readonly #capacity: Resources;
  #used: Resources = NOTHING;
  #starting = 0;

  constructor(capacity: Resources) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Runtimes that were started, or are being restored, and are not ready yet. */
  get starting(): number {
    return this.#starting;
  }

  [Symbol.iterator](): Iterator<Runtime> {
    return this.#all.values();
  }

  add(runtime: Runtime): void {
    this.#all.add(runtime);
    runtime.lane.runtimes.add(runtime);
    this.#used = plus(this.#used, runtime.cost);
    this.#count(runtime, 1);
  }

  /** Changes the state of a runtime; this is the only place that does. Returns the previous state. */
  enter(runtime: Runtime, state: RuntimeState): RuntimeState {
    const before = runtime.state;
    if (!NEXT[before].includes(state)) throw new Error(`A runtime that is ${before} can't become ${state}`);
    this.#count(runtime, -1);
    runtime.state = state;
    this.#count(runtime, 1);
    if (state === "gone") {
      this.#all.delete(runtime);
      runtime.lane.runtimes.delete(runtime);
      this.#used = minus(this.#used, runtime.cost);
    }
    return before;
  }

  hasRoomFor(cost: Resources): boolean {
    return roomFor(cost, this.#used, this.#capacity) > 0;
  }

  /**
   * Returns idle runtimes, except those of `wanting`, that have to leave until `cost` fits, longest idle
   * first.
   */
  toLeaveFor(cost: Resources, wanting: Lane | null): Runtime[] {
    const idle = [...this.#all]
      .filter((runtime) => runtime.state === "idle" && runtime.lane !== wanting)
      .sort((a, b) => a.idleSince - b.idleSince);
    let leaving = [...this.#all].reduce(
      (sum, runtime) => (runtime.state === "leaving" ? plus(sum, runtime.cost) : sum),
      NOTHING,
    );
    const chosen: Runtime[] = [];
    for (const runtime of idle) {
      if (roomFor(cost, minus(this.#used, leaving), this.#capacity) > 0) break;
      leaving = plus(leaving, runtime.cost);
      chosen.push(runtime);
    }
    return chosen;
  }

  #count(runtime: Runtime, change: 1 | -1): void {
    const { lane, state } = runtime;
    switch (state) {
      case "starting":
        lane.starting += change;
        this.#starting += change;
        return;
      case "restoring":
        this.#starting += change;
        return;
      case "busy":
      case "saving":
        lane.busy += change;
        return;
      case "idle":
        if (change > 0) lane.idle.push(runtime);
        else lane.idle.splice(lane.idle.lastIndexOf(runtime), 1);
        return;
      default:
    }
  }
}
