import { configure, runs, tasks } from "@acme/sdk";
import { type Command, InvalidArgumentError } from "commander";
import { environmentAccess } from "../access.ts";
import { CliError } from "../errors.ts";

interface EnvironmentOptions {
  env: string;
  apiUrl?: string;
}

function withEnvironment(command: Command): Command {
  return command
    .option("-e, --env <slug>", "which key of a local server to use, when ACME_SECRET_KEY isn't set", "prod")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL");
}

function connect(options: EnvironmentOptions): void {
  const { apiUrl, secretKey } = environmentAccess({ apiUrl: options.apiUrl, environment: options.env });
  configure({ baseURL: apiUrl, accessToken: secretKey });
}

function parsePayload(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(
      `not JSON (${(error as Error).message}). Quote it, like '{"name":"World"}'.`,
    );
  }
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100) return limit;
  throw new InvalidArgumentError("a number from 1 to 100.");
}

const print = (value: unknown): void => console.log(JSON.stringify(value, null, 2));

export function addRunCommands(program: Command): void {
  withEnvironment(
    program
      .command("trigger")
      .description("trigger a run of a task")
      .argument("<task>", "the task's id")
      .argument("[payload]", "JSON", parsePayload)
      .option("-w, --wait", "wait for the run's end and print its output"),
  ).action(async (task: string, payload: unknown, options: EnvironmentOptions & { wait?: boolean }) => {
    connect(options);
    const handle = await tasks.trigger(task, payload);
    if (!options.wait) {
      console.log(handle.id);
      return;
    }
    const run = await runs.poll(handle.id, { pollIntervalMs: 250 });
    if (!run.isSuccess)
      throw new CliError(
        `Run ${run.id} ended as ${run.status}: ${run.error?.message ?? "no error was given"}`,
      );
    print(run.output);
  });

  const group = program.command("runs").description("look at runs and cancel them");
  withEnvironment(
    group
      .command("list")
      .description("the newest runs")
      .option("-n, --limit <n>", "how many", parseLimit, 20)
      .option("-t, --task <id>", "only of this task"),
  ).action(async (options: EnvironmentOptions & { limit: number; task?: string }) => {
    connect(options);
    const page = await runs.list({ limit: options.limit, taskIdentifier: options.task });
    for (const run of page.data) {
      console.log(
        [run.id, run.status.padEnd(14), run.createdAt.toISOString(), run.taskIdentifier].join("  "),
      );
    }
  });
  withEnvironment(
    group
      .command("get")
      .description("everything about a run, as JSON")
      .argument("<id>", "the run's id, run_…"),
  ).action(async (id: string, options: EnvironmentOptions) => {
    connect(options);
    print(await runs.retrieve(id));
  });
  withEnvironment(
    group.command("cancel").description("cancel a run").argument("<id>", "the run's id, run_…"),
  ).action(async (id: string, options: EnvironmentOptions) => {
    connect(options);
    await runs.cancel(id);
    console.log(`Run ${id} is canceled.`);
  });
}
