import { type Faults, NO_FAULTS } from "./faults.ts";
import type { World } from "./world.ts";

export interface Scenario {
  /**
   * `storm`: everything that can happen, with faults. `crowd`: a storm with thousands of runs, many
   * environments and queues. `split`: a storm in which the number of partitions of limited queues changes
   * again and again. `debounce`: a storm of debounced triggers with few keys. `watched`: a storm whose runs
   * are watched by listeners. `backlog`: without faults, every environment has queued far more than the hosts
   * can execute, and one environment queued first and has the most runs.
   */
  kind: "storm" | "crowd" | "split" | "debounce" | "watched" | "backlog";
  environments: number;
  /** Queues per environment; in a storm the second half of them have limits. */
  queues: number;
  /** Concurrency keys that runs of a queue are spread over. */
  keys: number;
  hosts: number;
  /** The maximum number of slots of a host. */
  slots: number;
  /** Number of clients. Each acts once: it triggers a run or a batch, or calls with a wrong key, and so on. */
  clients: number;
  environmentLimit: number;
  queueLimit: number;
  faults: Faults;
  /**
   * Mean virtual time between two failures (a host or an object dies, is replaced, or has its clock set); 0:
   * none.
   */
  blowEveryMs: number;
  /** How long clients arrive and faults occur. */
  stormMs: number;
  /** How long runs may take to end once faults have stopped. */
  patienceMs: number;
}

/** Draws a scenario from the seed: with few or many faults, from a few runs to thousands. */
export function drawScenario(world: World, kind?: Scenario["kind"]): Scenario {
  const draw = world.random();
  switch (
    kind ??
    (draw < 0.004
      ? "crowd"
      : draw < 0.1
        ? "backlog"
        : draw < 0.15
          ? "split"
          : draw < 0.18
            ? "debounce"
            : draw > 0.77 && draw < 0.85
              ? "watched"
              : "storm")
  ) {
    case "crowd":
      return { ...drawStorm(world), ...drawCrowd(world) };
    case "split":
      return { ...drawStorm(world), ...drawSplit(world) };
    case "debounce":
      return drawDebounce(world);
    case "watched":
      return { ...drawStorm(world), kind: "watched" };
    case "backlog":
      return drawBacklog(world);
    case "storm":
      return drawStorm(world);
  }
}

function drawStorm(world: World): Scenario {
  const rough = world.random();
  return {
    kind: "storm",
    environments: world.between(1, 3),
    queues: world.between(1, 4),
    keys: 4,
    hosts: world.between(1, 4),
    slots: 20,
    clients: world.between(5, 45),
    environmentLimit: world.between(1, 30),
    queueLimit: world.between(1, 8),
    faults: {
      lostRequest: rough * 0.04,
      lostReply: rough * 0.04,
      late: rough * 0.02,
      duplicate: rough * 0.03,
      crash: rough * 0.008,
      crashAfterWrite: rough * 0.004,
      maxLatencyMs: world.between(1, 100),
      skewMs: world.chance(0.5) ? world.between(1, 3_000) : 0,
    },
    blowEveryMs: world.chance(0.7) ? world.between(2_000, 40_000) : 0,
    stormMs: world.chance(0.4) ? 400_000 : 120_000,
    patienceMs: 4 * 3_600_000,
  };
}

const drawCrowd = (world: World) => ({
  kind: "crowd" as const,
  environments: world.between(5, 20),
  queues: world.between(3, 8),
  hosts: world.between(5, 20),
  slots: 50,
  clients: world.between(500, 1_200),
});

const drawSplit = (world: World) => ({
  kind: "split" as const,
  environments: world.between(1, 2),
  queues: world.between(1, 2),
  keys: 2,
  clients: world.between(10, 40),
  environmentLimit: world.between(10, 40),
});

/**
 * If clocks differed by more than the grace of a key, two of its runs could wait for a moment, so here they
 * agree.
 */
function drawDebounce(world: World): Scenario {
  const storm = drawStorm(world);
  return {
    ...storm,
    kind: "debounce",
    environments: world.between(1, 2),
    queues: 3,
    clients: world.between(40, 120),
    faults: { ...storm.faults, skewMs: 0 },
    stormMs: 120_000,
  };
}

function drawBacklog(world: World): Scenario {
  return {
    kind: "backlog",
    environments: world.between(1, 6),
    queues: world.between(1, 3),
    keys: world.between(1, 3),
    hosts: world.between(1, 3),
    slots: 4,
    clients: 0,
    environmentLimit: 100,
    queueLimit: 100,
    faults: { ...NO_FAULTS, maxLatencyMs: world.between(1, 20) },
    blowEveryMs: 0,
    stormMs: 10_000,
    patienceMs: 4 * 3_600_000,
  };
}
