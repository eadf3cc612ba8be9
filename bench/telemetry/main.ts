/**
 * What telemetry costs a task: `npm run bench:telemetry -- [--runs N] [--lines N] [--rounds N]`. It runs one
 * runtime process at a time; this program is the host's end of the channel and only reads.
 *
 *  1. Runs that do nothing, in the runtime as it is and in one without spans and metrics, in turn.
 *  2. A run that writes lines, each beside some work, and does the same work without them, in turn, in the same run.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { DequeuedRun, RuntimeToHost } from "@acme/sdk/contract";
import { RUNTIME_ENTRY } from "@acme/sdk/runtime";
import { build, type Plugin } from "esbuild";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3000" },
    lines: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
  },
});
/** Ticks per second of the CPU times in /proc, on Linux. */
const TICK_MS = 10;
const RUNS = Number(values.runs);
const LINES = Number(values.lines);
const ROUNDS = Number(values.rounds);

const TASKS = `
import { logger, task } from "@acme/sdk";
import { createHash } from "node:crypto";

export const noop = task({ id: "noop", run: async () => {} });

/** Work of about 60 µs here, as a task does between two lines. */
const work = (n: number) => {
  let text = String(n);
  for (let i = 0; i < 60; i++) text = createHash("sha256").update(text).digest("hex");
  return text;
};

export const lines = task({
  id: "lines",
  run: async ({ lines, block }: { lines: number; block: number }) => {
    const ms = { with: 0, without: 0 };
    const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1_000; };
    for (let done = 0; done < lines; done += block) {
      for (const kind of done % (2 * block) === 0 ? (["with", "without"] as const) : (["without", "with"] as const)) {
        const begun = cpu();
        for (let n = 0; n < block; n++) {
          const result = work(n);
          if (kind === "with") logger.info("line " + n, { n, result });
          // Like a task that waits for others: the lines written so far are sent meanwhile.
          if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        ms[kind] += cpu() - begun;
      }
    }
    return ms;
  },
});
`;

/** The runtime without spans and metrics. */
const WITHOUT: Plugin = {
  name: "without telemetry",
  setup({ onLoad }) {
    onLoad({ filter: /telemetry\/setup\.ts$/ }, () => ({
      contents: `export const spanListeners = new Set();
        export const logListeners = new Set();
        export const runMetrics = { begin() {}, end() {} };
        export const registerTelemetry = () => {};
        export const applyTelemetrySettings = () => {};`,
      loader: "js",
    }));
    onLoad({ filter: /telemetry\/attempt-telemetry\.ts$/ }, () => ({
      contents: `export class AttemptTelemetry {
        context = undefined;
        activeSpan() {} within(entry, fn) { return fn(); } operationBegins() {} operationEnds() {}
        suspend() {} forget() {} end() { return { dropped: 0 }; } replayedCall() {}
      }`,
      loader: "js",
    }));
  },
};

async function bundle(entry: string, outfile: string, plugins: Plugin[] = []): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    plugins,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    logLevel: "error",
    absWorkingDir: fileURLToPath(new URL("../..", import.meta.url)),
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
}

/** A runtime, and what it reported about the run that it executes. */
class Runtime {
  readonly #child: ChildProcess;
  readonly #channel: Duplex;
  readonly #ready = Promise.withResolvers<void>();
  #completed = Promise.withResolvers<Extract<RuntimeToHost, { type: "completed" }>>();
  #runs = 0;
  /** Characters of its messages. */
  received = 0;

  constructor(runtime: string, tasks: string) {
    this.#child = spawn(process.execPath, [runtime], {
      stdio: ["ignore", "ignore", "inherit", "pipe"],
      env: { PATH: process.env.PATH, ACME_CHANNEL: "fd:3", ACME_CHANNEL_TOKEN: "x", ACME_BUNDLE: tasks },
    });
    this.#channel = this.#child.stdio[3] as Duplex;
    createInterface({ input: this.#channel }).on("line", (line) => {
      this.received += line.length;
      if (line.startsWith('{"type":"ready"')) this.#ready.resolve();
      if (line.startsWith('{"type":"completed"')) this.#completed.resolve(JSON.parse(line));
    });
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async run(taskId: string, payload: unknown): Promise<unknown> {
    this.#completed = Promise.withResolvers();
    const run: DequeuedRun = {
      runId: `run_${"0".repeat(18)}${(this.#runs++).toString(36).padStart(17, "0")}`,
      taskId,
      token: 1,
      attempt: 1,
      leaseMs: 60_000,
      queue: `task/${taskId}`,
      payload: JSON.stringify(payload),
      payloadType: "application/json",
      tags: [],
      environment: { key: "env00000", id: "env_1", slug: "prod", type: "PRODUCTION" },
      project: { id: "project_1", ref: "proj_bench", name: "Bench" },
      organization: { id: "org_1", slug: "org", name: "Org" },
      deployment: { id: "deployment_1", version: "1", contentHash: "0".repeat(64) },
      machine: "small-1x",
      isTest: false,
      priority: 0,
      createdAt: Date.now(),
    };
    this.#channel.write(`${JSON.stringify({ type: "run", run })}\n`);
    const { outcome } = await this.#completed.promise;
    if (outcome.type !== "success") throw new Error(JSON.stringify(outcome));
    return outcome.output ? JSON.parse(outcome.output) : undefined;
  }

  /** CPU time that the process has used, which other programs of the machine change little. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
    // The command in parentheses can hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  end(): void {
    this.#child.kill();
  }
}

async function noop(runtime: string, tasks: string): Promise<number> {
  const process_ = new Runtime(runtime, tasks);
  await process_.ready();
  for (let n = 0; n < 500; n++) await process_.run("noop", {});
  const before = process_.cpuMs();
  for (let n = 0; n < RUNS; n++) await process_.run("noop", {});
  const us = ((process_.cpuMs() - before) * 1_000) / RUNS;
  process_.end();
  return us;
}

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const show = (numbers: number[], digits = 1): string =>
  `median ${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)} to ${Math.max(...numbers).toFixed(digits)})`;

const folder = mkdtempSync(join(tmpdir(), "acme-bench-telemetry-"));
try {
  const file = (name: string) => join(folder, name);
  writeFileSync(file("tasks.ts"), TASKS);
  const entry = fileURLToPath(new URL("tasks.ts", import.meta.url));
  writeFileSync(entry, TASKS);
  await bundle(entry, file("tasks.mjs")).finally(() => rmSync(entry));
  await bundle(fileURLToPath(RUNTIME_ENTRY), file("with.mjs"));
  await bundle(fileURLToPath(RUNTIME_ENTRY), file("without.mjs"), [WITHOUT]);

  const us = { with: [] as number[], without: [] as number[] };
  for (let round = 0; round < ROUNDS; round++)
    for (const kind of round % 2 === 0 ? (["with", "without"] as const) : (["without", "with"] as const))
      us[kind].push(await noop(file(`${kind}.mjs`), file("tasks.mjs")));
  console.log(`A run that does nothing, ${ROUNDS} rounds of ${RUNS}, in µs of CPU time of the runtime:`);
  console.log(`  with telemetry     ${show(us.with)}`);
  console.log(`  without            ${show(us.without)}`);
  console.log(`  ratio of medians   ${(median(us.with) / median(us.without)).toFixed(3)}`);

  const ratios: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const process_ = new Runtime(file("with.mjs"), file("tasks.mjs"));
    await process_.ready();
    const ms = (await process_.run("lines", { lines: LINES, block: LINES / 20 })) as {
      with: number;
      without: number;
    };
    process_.end();
    ratios.push(ms.with / ms.without);
    costs.push(((ms.with - ms.without) * 1_000) / LINES);
  }
  console.log(`${LINES} lines beside some work each, in one run, ${ROUNDS} runs, CPU time:`);
  console.log(`  ratio to the same work without lines   ${show(ratios, 3)}`);
  console.log(`  a line, in µs                          ${show(costs)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
