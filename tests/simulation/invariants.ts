import type { QueueRef } from "@acme/durable-objects/rpc";
import { type DequeuedRun, isFinal, type NamedLimitManifest, type QueueLimits } from "@acme/sdk/contract";
import { queueRef } from "../../durable-objects/src/routing/partitions.ts";
import { Debounce } from "./checks/debounce.ts";
import { Fairness } from "./checks/fairness.ts";
import { Idempotency } from "./checks/idempotency.ts";
import { Isolation } from "./checks/isolation.ts";
import { Leases } from "./checks/leases.ts";
import { NamedLimitSlots } from "./checks/named-limits.ts";
import { Operations } from "./checks/operations.ts";
import { Outcomes } from "./checks/outcomes.ts";
import { Projections } from "./checks/projections.ts";
import { Rates } from "./checks/rates.ts";
import { type Edge, RunChanges, type RunState } from "./checks/run-changes.ts";
import { Slots } from "./checks/slots.ts";
import { Ticks } from "./checks/ticks.ts";
import { type InvariantNumber, Violations } from "./checks/violations.ts";
import type { Platform } from "./platform.ts";
import type { QuerySide } from "./query-side.ts";
import type { World } from "./world.ts";

/** The design's invariants, and when each is checked. The checks are in `checks/`. */
export const INVARIANTS: Record<InvariantNumber, string> = {
  1: "After each step: an outcome never changes, nothing succeeds that did not run, nothing starts after its outcome. At the end: every acknowledged run, and every run that it caused, exists and has an outcome.",
  2: "At each start: the lease is new, and belongs to this host's session. At each answer: a report whose lease was over when it was sent is refused. At each success: the result is that of the run's last lease.",
  3: "After each step: slots held, counted from the rows, per key, per queue (over all of its partitions: without a key, and in all), per environment, and per limit with a name (over all queues that share it, and per key); a suspended run holds none. At each lease: the rate limits of queue and key have room, and the queue is not paused. At the end: the counters are at zero.",
  4: "Whenever a trigger is answered that its key stands for its own run: the key stands for no other run whose claim has not expired. After each step: a key that does not expire has created one run, in whichever queue; at most one run of a debounce key is DELAYED. Past the retention of runs: a valid key stands for the run that it stood for, which is not executed again.",
  5: "After each step: a tick has created one run, and not before its time. At the end: every tick of every schedule has its run, except that of the ticks during a pause of the machine only the last has one.",
  6: "After each lease: no pending run of its key had an earlier place. In scenarios with a backlog everywhere: leases of environments, of an environment's queues (over all of their partitions) and of a queue's keys, over windows of 20 turns each.",
  7: "Whenever a run's code reaches an operation: a recorded step is not performed again (by the holder of the run's lease), an operation has one child, batch or token, and returns what it returned before.",
  8: "When each queue has sent its changes for a bulk action: the query side has every run in the version that it had when that began, or a later one. At the end: every column of every run and token on the query side (its real statements over SQLite) is what the owner answers, and so is what every listener has: clients of the live protocol, whose connections break and whose tokens expire, and clients that poll. Listeners of logs and streams have every line and record of the feed, in order and once.",
  9: "All along, calls with another environment's key, of every method that takes one: they are answered with nothing, and no run contains what they wrote.",
};

/** The first partition of the queue to which this partition belongs. */
function firstOf(partitions: ReadonlyMap<string, QueueRef>, queueKey: string): string {
  const { environment, queue } = partitions.get(queueKey) as QueueRef;
  return queueRef(environment, queue).queueKey;
}

/** All checks, fed by what the hosts and clients see and by the objects' databases. */
export class Invariants {
  readonly violations = new Violations();
  readonly outcomes = new Outcomes(this.violations);
  readonly leases: Leases;
  readonly slots: Slots;
  readonly named: NamedLimitSlots;
  readonly rates: Rates;
  readonly idempotency: Idempotency;
  readonly debounce: Debounce;
  readonly ticks: Ticks;
  readonly fairness: Fairness;
  readonly operations = new Operations(this.violations, this.outcomes);
  readonly projections: Projections;
  readonly isolation = new Isolation(this.violations);
  readonly #changes: RunChanges;
  readonly #world: World;
  readonly #platform: Platform;
  /** Runs that have not ended, or hold a slot. */
  readonly #unfinished = new Set<string>();

  constructor(
    world: World,
    platform: Platform,
    querySide: QuerySide,
    options: {
      limits: ReadonlyMap<string, QueueLimits>;
      named: readonly NamedLimitManifest[];
      partitions: ReadonlyMap<string, QueueRef>;
      environmentLimit: number;
      measuresShares: boolean;
      measuresRates: boolean;
    },
  ) {
    this.#world = world;
    this.#platform = platform;
    this.#changes = new RunChanges(platform);
    this.leases = new Leases(this.violations, this.#changes.runs);
    const { partitions, limits, measuresRates } = options;
    const places = { limits, firstOf: (queueKey: string) => firstOf(partitions, queueKey) };
    this.slots = new Slots(this.violations, places, options.environmentLimit);
    this.named = new NamedLimitSlots(this.violations, options.named);
    this.rates = new Rates(this.violations, places, () => world.now, measuresRates);
    this.idempotency = new Idempotency(this.violations, () => world.now);
    this.debounce = new Debounce(this.violations);
    this.ticks = new Ticks(this.violations, () => world.now);
    this.fairness = new Fairness(this.violations, places.firstOf, options.measuresShares);
    this.projections = new Projections(this.violations, querySide);
  }

  get runs(): ReadonlyMap<string, RunState> {
    return this.#changes.runs;
  }

  get edges(): ReadonlySet<Edge> {
    return this.#changes.edges;
  }

  started(run: DequeuedRun, sessionId: string): void {
    this.leases.started(run, sessionId);
    this.outcomes.started(run, this.leases.current(run.runId));
  }

  /** To be called after each step. Throws the first violation. */
  check(): void {
    this.#changes.read(
      (change) => {
        this.outcomes.changed(change);
        this.leases.changed(change);
        this.slots.changed(change);
        this.rates.changed(change);
        this.idempotency.changed(change);
        this.debounce.changed(change);
        this.ticks.changed(change);
        this.fairness.changed(change);
        this.isolation.changed(change);
        const { id, status, slot, version } = change.after;
        this.projections.changed(id, version);
        if (isFinal(status) && slot === 0) this.#unfinished.delete(id);
        else this.#unfinished.add(id);
      },
      (queueKey, slots) => {
        this.slots.written(queueKey, slots);
        this.named.written(queueKey, slots);
      },
    );
    this.fairness.check();
    this.violations.throwFirst();
  }

  /** Describes something that is not settled. "": all runs have ended, no slot is held, and the query side has every row. */
  unsettled(): string {
    const { open } = this.outcomes;
    if (open) return `${open} was acknowledged and has no outcome: ${this.#describe(open)}`;
    const unfinished = this.#unfinished.values().next().value;
    if (unfinished) return `${unfinished} has not ended: ${this.#describe(unfinished)}`;
    const { missing } = this.projections;
    return missing ? `${missing} has not reached the query side in its last version` : "";
  }

  /** Must be called once everything is settled. */
  atEnd(): void {
    this.outcomes.atEnd(this.runs);
    this.ticks.atEnd(this.#world.jumps);
    this.slots.atEnd(this.#platform.databases("QUEUE"));
    this.named.atEnd(this.#platform.databases("QUEUE"));
    this.violations.throwFirst();
  }

  #describe(runId: string): string {
    const run = this.runs.get(runId);
    return run ? JSON.stringify(run) : "it does not exist";
  }
}
