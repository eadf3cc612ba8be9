/**
 * From trigger to the task's function, in phases, cold and warm: `node bench/starts/main.ts [--executor process|docker] [--rounds N]`.
 * Cold: the host keeps no runtime, so each run starts one, with what the machine and V8's compile cache have kept of the starts before
 * it; the first start of all is shown apart. Warm: the runtime of the run before takes it.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { expected } from "../http-client.ts";
import { percentile } from "../statistics.ts";
import { deployProject, startAcmeServer } from "../systems/acme-process.ts";
import type { Start } from "./project/src/trigger/entered.ts";

const { values } = parseArgs({
  options: {
    executor: { type: "string", multiple: true, default: ["process", "docker"] },
    rounds: { type: "string", default: "20" },
  },
});
const ROUNDS = Number(values.rounds);
/** The idle runtime is killed after each run. */
const NO_SPARE = { ACME_HOST_SPARES: "0" };
const SETTLE_MS = 200;

/** Milliseconds since the epoch, with fractions, on the clock of all processes of this machine. */
const now = (): number => performance.timeOrigin + performance.now();

/** Milliseconds of each phase, in order. */
type Phases = Map<string, number>;

interface ContainerEvent {
  id: string;
  action: string;
  at: number;
}

/** What the Engine says of containers while it runs. */
function containerEvents(): { events: ContainerEvent[]; stop(): void } {
  const events: ContainerEvent[] = [];
  const child = spawn(
    "docker",
    ["events", "--filter", "type=container", "--format", "{{.Actor.ID}} {{.Action}} {{.TimeNano}}"],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [id = "", action = "", nanoseconds] = line.split(" ");
    events.push({ id, action, at: Number(nanoseconds) / 1e6 });
  });
  return { events, stop: () => void child.kill() };
}

/** @param wanted whether the run's process is a new one */
async function measure(
  executor: "process" | "docker",
  wanted: "cold" | "warm",
  events: ContainerEvent[],
): Promise<Phases[]> {
  const folder = mkdtempSync(join(tmpdir(), "acme-starts-"));
  const env = wanted === "cold" ? NO_SPARE : undefined;
  const server = await startAcmeServer(folder, { executor, env });
  try {
    deployProject(server, "bench/starts/project");
    const found: Phases[] = [];
    // The first run of a new server is not one of the rounds, unless it is a cold start, where it is shown apart.
    for (let round = 0; round <= ROUNDS; round++) {
      const triggeredAt = now();
      const answer = await server.http.post("/api/v1/tasks/entered/trigger?wait=60", "{}");
      const { result } = JSON.parse(expected(answer, 200)) as { result?: { output?: string } };
      if (result?.output === undefined) throw new Error(`A run did not succeed: ${answer.body}`);
      const start = JSON.parse(result.output) as Start;
      console.error(`${executor} ${wanted} ${round}: ${(start.enteredAt - triggeredAt).toFixed(1)} ms`);
      const isCold = start.run === 1;
      if (wanted === "cold" && !isCold) throw new Error("A run that was to start a process found one.");
      if (wanted === "warm" && isCold) continue;
      found.push(
        isCold
          ? coldPhases(triggeredAt, start, events)
          : new Map([["entered", start.enteredAt - triggeredAt]]),
      );
      if (wanted === "warm") continue;
      if (executor === "process") process.kill(start.pid, "SIGKILL");
      else spawnSync("docker", ["kill", start.containerId]);
      const isLeft = () =>
        executor === "process" ? existsSync(`/proc/${start.pid}`) : !eventOf(events, start, "die");
      while (isLeft()) await sleep(20);
      // The host has noticed by then, and starts no other.
      await sleep(SETTLE_MS);
    }
    return found;
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const eventOf = (events: ContainerEvent[], { containerId }: Start, action: string) =>
  events.find((event) => event.id === containerId && event.action === action);

function coldPhases(triggeredAt: number, start: Start, events: ContainerEvent[]): Phases {
  const before = (action: string) => eventOf(events, start, action)?.at;
  const moments: [string, number | undefined][] = [
    ["container created", before("create")],
    ["container started", before("start")],
    ["process began", start.processAt],
    ["Node.js started", start.nodeAt],
    ["runtime and bundle loaded", start.bundleAt],
    ["function entered", start.enteredAt],
  ];
  const phases: Phases = new Map();
  let last = triggeredAt;
  for (const [phase, at] of moments) {
    if (at === undefined) continue;
    phases.set(phase, at - last);
    last = at;
  }
  return phases.set("all", start.enteredAt - triggeredAt);
}

const ms = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(1));

const containers = containerEvents();
try {
  for (const executor of values.executor) {
    if (executor !== "process" && executor !== "docker")
      throw new Error(`--executor is process or docker, not ${executor}.`);
    const [first, ...cold] = await measure(executor, "cold", containers.events);
    const warm = await measure(executor, "warm", containers.events);
    console.log(`\n| ${executor}, ms of each phase | first of all | cold p50 | cold p95 |`);
    console.log("| --- | ---: | ---: | ---: |");
    for (const phase of first?.keys() ?? []) {
      const of = cold.map((phases) => phases.get(phase) ?? 0);
      const figures = [first?.get(phase), percentile(of, 0.5), percentile(of, 0.95)];
      console.log(`| ${phase} | ${figures.map(ms).join(" | ")} |`);
    }
    const entered = warm.map((phases) => phases.get("entered") ?? 0);
    console.log(`| all, warm | | ${ms(percentile(entered, 0.5))} | ${ms(percentile(entered, 0.95))} |`);
  }
} finally {
  containers.stop();
}
process.exit(0);
