/**
 * What a developer waits for, with the published packages: `npm run bench:dev -- [--rounds N]`. From saving a
 * file to the registered version, with one task file and with a hundred; from trigger to the task's function
 * in `acme dev`, also for the first run of a version; a deployment of a bundle; and how long the command
 * takes to start. Ratios are to `node -e 0`.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { configure, runs, tasks } from "@acme/sdk";
import { buildPackages } from "../../scripts/packages/build.ts";
import { installBuilt } from "../../tests/support/runtimes.ts";
import { now } from "../clock.ts";
import { p50p99 } from "../statistics.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "20" } } });
const ROUNDS = Number(values.rounds);
const FILES = 100;

const folder = mkdtempSync(join(tmpdir(), "acme-bench-dev-"));
const built = await buildPackages(join(folder, "built"));
const cli = join(folder, "node_modules/@acme/cli/bin/acme.mjs");
installBuilt(folder, built.sdk, []);
installBuilt(folder, built.cli, []);

const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(ACME|TRIGGER|NODE)_/.test(name)),
);
const started: ReturnType<typeof spawn>[] = [];

/** Starts a program; the result waits for the next line of its output that matches. */
function program(args: string[], cwd: string) {
  const child = spawn(process.execPath, [cli, ...args], { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  const waiting = new Set<{ fits: (line: string) => boolean; resolve: (line: string) => void }>();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    for (const waiter of waiting) {
      if (!waiter.fits(line)) continue;
      waiting.delete(waiter);
      waiter.resolve(line);
    }
  });
  return {
    line: (fits: (line: string) => boolean) =>
      new Promise<string>((resolve) => waiting.add({ fits, resolve })),
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGINT");
      await gone;
    },
  };
}

async function timeOf(args: string[], cwd = folder): Promise<number> {
  const begun = now();
  const child = spawn(process.execPath, args, { cwd, env, stdio: "ignore" });
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}`);
  return now() - begun;
}

async function repeat(times: number, action: (round: number) => Promise<number>): Promise<number[]> {
  const found: number[] = [];
  for (let round = 0; round < times; round++) found.push(await action(round));
  return found;
}

const taskFile = (id: string, text: string) => `import { task } from "@acme/sdk";
export const exported = task({
  id: ${JSON.stringify(id)},
  run: async () => ({ text: ${JSON.stringify(text)}, at: Number(process.hrtime.bigint()) / 1e6 }),
});
`;

/** A project of `files` task files. */
function project(name: string, files: number): string {
  const root = join(folder, name);
  mkdirSync(join(root, "src/trigger"), { recursive: true });
  symlinkSync(join(folder, "node_modules"), join(root, "node_modules"));
  writeFileSync(join(root, "package.json"), '{ "private": true, "type": "module" }\n');
  writeFileSync(
    join(root, "acme.config.ts"),
    'import { defineConfig } from "@acme/sdk";\nexport default defineConfig({ project: "proj_default", dirs: ["./src/trigger"], maxDuration: 60 });\n',
  );
  for (let file = 0; file < files; file++)
    writeFileSync(join(root, `src/trigger/task-${file}.ts`), taskFile(`task-${file}`, "first"));
  return root;
}

const report: [what: string, samples: number[], goal?: number][] = [];
const isVersion = (line: string) => line.includes('"type":"version"');
const accessFile = join(folder, "up/.acme/local.json");

try {
  mkdirSync(join(folder, "up"));
  const up = program(["up", "--port", "0", "--executor", "process"], join(folder, "up"));
  await up.line((line) => line.startsWith("Acme is running at"));
  const { default: access } = (await import(accessFile, { with: { type: "json" } })) as {
    default: { apiUrl: string; devSecretKey: string; accessToken: string };
  };
  env.ACME_API_URL = access.apiUrl;
  env.ACME_ACCESS_TOKEN = access.accessToken;
  configure({ baseURL: access.apiUrl, accessToken: access.devSecretKey });

  const floor = await repeat(ROUNDS, () => timeOf(["-e", "0"]));
  report.push(["node -e 0", floor]);
  report.push(["acme --help", await repeat(ROUNDS, () => timeOf([cli, "--help"])), 150]);

  for (const [name, files, goal] of [
    ["small", 1, 300],
    ["large", FILES, 1_000],
  ] as const) {
    const root = project(name, files);
    env.ACME_SECRET_KEY = access.devSecretKey;
    const dev = program(["dev", "--json"], root);
    await dev.line(isVersion);
    const save = async (round: number): Promise<number> => {
      const registered = dev.line(isVersion);
      const begun = now();
      writeFileSync(join(root, "src/trigger/task-0.ts"), taskFile("task-0", `round ${round}`));
      await registered;
      return now() - begun;
    };
    const run = async (): Promise<number> => {
      const begun = now();
      const { id } = await tasks.trigger("task-0", undefined);
      const ended = await runs.poll(id, { pollIntervalMs: 20 });
      return (ended.output as { at: number }).at - begun;
    };
    report.push([`save → registered, ${files} task files`, await repeat(ROUNDS, save), goal]);
    if (files === 1) {
      const first: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await save(1_000 + round);
        // A person would not trigger at the same moment.
        await new Promise((resolve) => setTimeout(resolve, 500));
        first.push(await run());
      }
      report.push(["trigger → function, first run of a version", first]);
      await repeat(5, run);
      report.push(["trigger → function, acme dev", await repeat(ROUNDS * 2, run), 15]);
    }
    await dev.stop();
    delete env.ACME_SECRET_KEY;
    const deploy = async (round: number): Promise<number> => {
      writeFileSync(join(root, "src/trigger/task-0.ts"), taskFile("task-0", `deployed ${round}`));
      return timeOf([cli, "deploy"], root);
    };
    const rounds = Math.max(3, Math.floor(ROUNDS / 4));
    report.push([`acme deploy, ${files} task files`, await repeat(rounds, deploy), 3_000]);
  }
  await up.stop();

  const unit = p50p99(floor).p50;
  console.log(
    `${"".padEnd(44)} ${"p50 ms".padStart(8)} ${"p99 ms".padStart(8)} ${"× node".padStart(8)}  goal`,
  );
  for (const [what, samples, goal] of report) {
    const { p50, p99 } = p50p99(samples);
    const columns = [p50, p99].map((ms) => ms.toFixed(1).padStart(8));
    const met = goal === undefined ? "" : `${goal} ms: ${p50 <= goal ? "met" : "missed"}`;
    console.log(`${what.padEnd(44)} ${columns.join(" ")} ${(p50 / unit).toFixed(2).padStart(8)}  ${met}`);
  }
} finally {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
