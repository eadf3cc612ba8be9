import type { Command } from "commander";
import type { RunEvent } from "../api/run-events.ts";
import { duration, relativeTime } from "../terminal/format.ts";
import { isInteractive, statusFormat, style, terminalWidth } from "../terminal/style.ts";
import { facts, table } from "../terminal/table.ts";
import { collect, parseJson, parseLimit } from "./arguments.ts";
import { connect, connectLive, type EnvironmentOptions, printJson, withEnvironment } from "./connection.ts";
import { clock, levelText, messageText } from "./log-line.ts";

const FOLLOW_MS = 1_000;

interface ListOptions extends EnvironmentOptions {
  limit: number;
  task?: string[];
  status?: string[];
  tag?: string[];
  period?: string;
}

export function addRunCommands(program: Command): void {
  const group = program
    .command("runs")
    .description("list runs, show them and their logs, cancel and replay them");
  withEnvironment(
    group
      .command("list")
      .alias("ls")
      .description("list the newest runs")
      .option("-n, --limit <n>", "how many, 1 to 100", parseLimit, 20)
      .option("-t, --task <id>", "only runs of this task; can be repeated", collect)
      .option(
        "-s, --status <status>",
        "only runs in this state, like failed or executing; can be repeated",
        collect,
      )
      .option("--tag <tag>", "only runs with this tag; can be repeated", collect)
      .option("--period <time>", 'only runs created within this time: "1h", "7d"'),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ acme runs list --status failed,crashed --period 1d
  $ acme runs list --task import --json | jq -r '.[].id'`,
    )
    .action(list);
  withEnvironment(
    group
      .command("tail")
      .description("print changes of runs as they happen, until you press Ctrl-C")
      .option("-t, --task <id>", "only runs of this task; can be repeated", collect)
      .option("--tag <tag>", "only runs with this tag; can be repeated", collect),
  )
    .addHelpText("after", "\nExample:\n  $ acme runs tail --task import")
    .action(tail);
  withEnvironment(group.command("get").description("show a run").argument("<id>", "the run's id, run_…"))
    .addHelpText("after", "\nExample:\n  $ acme runs get run_… --json | jq .output")
    .action(get);
  withEnvironment(
    group
      .command("logs")
      .description("print a run's logs and timeline")
      .argument("<id>", "the run's id, run_…")
      .option("-f, --follow", "print new entries until the run has finished"),
  )
    .addHelpText("after", "\nExample:\n  $ acme runs logs run_… --follow")
    .action(logs);
  withEnvironment(
    group
      .command("cancel")
      .description("cancel runs, and the runs that they wait for")
      .argument("<id...>", "ids of runs, run_…"),
  )
    .addHelpText(
      "after",
      "\nExample:\n  $ acme runs cancel $(acme runs list --status queued | cut -d' ' -f1)",
    )
    .action(cancel);
  withEnvironment(
    group
      .command("replay")
      .description("trigger a new run with the payload and options of an earlier one")
      .argument("<id>", "the run's id, run_…")
      .option(
        "-p, --payload <json>",
        "another payload: JSON, @file.json, or - for standard input",
        parseJson,
      ),
  )
    .addHelpText("after", `\nExample:\n  $ acme runs replay run_… --payload '{"name":"you"}'`)
    .action(replay);
}

async function tail(options: EnvironmentOptions & { task?: string[]; tag?: string[] }): Promise<void> {
  const live = await connectLive(await connect(options));
  const { tailRuns } = await import("./follow.ts");
  const filter = {
    ...(options.task ? { tasks: options.task } : {}),
    ...(options.tag ? { tags: options.tag } : {}),
  };
  await tailRuns(live, filter, options.json ?? false);
}

async function list(options: ListOptions): Promise<void> {
  const { runs } = await connect(options);
  const { data } = await runs.list({
    limit: options.limit,
    taskIdentifier: options.task,
    status: options.status?.map((status) => status.toUpperCase()) as never,
    tag: options.tag,
    period: options.period,
  });
  if (options.json) {
    printJson(data);
    return;
  }
  if (data.length === 0) {
    console.error("There are no such runs.");
    return;
  }
  const now = Date.now();
  const lines = table(
    [
      { title: "ID", value: (run) => run.id },
      {
        title: "STATUS",
        value: (run) => run.status,
        style: (text, run) => style(statusFormat(run.status), text),
      },
      {
        title: "CREATED",
        value: (run) => (isInteractive() ? relativeTime(run.createdAt, now) : run.createdAt.toISOString()),
      },
      {
        title: "TOOK",
        align: "right",
        value: (run) => (run.durationMs > 0 ? duration(run.durationMs) : "-"),
        style: (text) => style("dim", text),
      },
      { title: "TASK", value: (run) => run.taskIdentifier, flexible: true },
    ],
    data,
    terminalWidth(),
  );
  console.log(lines.join("\n"));
}

async function get(id: string, options: EnvironmentOptions): Promise<void> {
  const { runs } = await connect(options);
  const run = await runs.retrieve(id);
  if (options.json || !isInteractive()) {
    printJson(run);
    return;
  }
  const show = (value: unknown) => (value === undefined ? undefined : JSON.stringify(value));
  const time = (at: Date | undefined) => at && `${at.toISOString()} (${relativeTime(at, Date.now())})`;
  console.log(
    facts([
      ["Run", style("bold", run.id)],
      ["Task", run.taskIdentifier],
      ["Status", style(statusFormat(run.status), run.status)],
      ["Version", run.version],
      ["Tags", run.tags.join(", ")],
      ["Created", time(run.createdAt)],
      ["Started", time(run.startedAt)],
      ["Finished", time(run.finishedAt)],
      ["Compute", run.durationMs > 0 ? duration(run.durationMs) : undefined],
      ["Attempts", run.attemptCount > 0 ? String(run.attemptCount) : undefined],
      ["Payload", show(run.payload)],
      ["Output", show(run.output)],
      ["Metadata", show(run.metadata)],
      ["Error", run.error && style("red", `${run.error.name ?? "Error"}: ${run.error.message}`)],
    ]).join("\n"),
  );
  const frames = ownFrames(run.error?.stackTrace);
  if (frames.length > 0) console.log(style("dim", frames.join("\n")));
}

async function logs(id: string, options: EnvironmentOptions & { follow?: boolean }): Promise<void> {
  const { runs, access } = await connect(options);
  const { runEvents } = await import("../api/run-events.ts");
  let printed = 0;
  for (;;) {
    // The state is read first: entries that were there when the run finished are in the answer after it.
    const isOver = !options.follow || (await runs.retrieve(id)).isCompleted;
    const events = await runEvents(access, id);
    for (const event of events.slice(printed)) {
      if (options.json) console.log(JSON.stringify(event));
      else console.log(eventLine(event));
    }
    printed = Math.max(printed, events.length);
    if (isOver) return;
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}

/** Frames of the task's own code, with paths relative to the project. The others, of the runtime, are in `--json`. */
function ownFrames(stack: string | undefined): string[] {
  return (stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at .*\/bundles\//.test(line))
    .map((line) => line.replace(/(\(|at )(?:file:\/\/)?\/[^()]*\/bundles\//, "$1"));
}

/** A log entry with its level and properties, or an event of the run's timeline, whose message says everything. */
function eventLine({ time, level, message, properties }: RunEvent): string {
  if (level === undefined) return `${clock(time)} ${style("magenta", "·".padEnd(5))} ${message}`;
  return `${clock(time)} ${levelText(level)} ${messageText(message, properties)}`;
}

async function cancel(ids: string[], options: EnvironmentOptions): Promise<void> {
  const { runs } = await connect(options);
  for (const id of ids) {
    await runs.cancel(id);
    if (!options.json) console.log(`Run ${id} is canceled.`);
  }
  if (options.json) printJson(ids.map((id) => ({ id })));
}

async function replay(id: string, options: EnvironmentOptions & { payload?: unknown }): Promise<void> {
  const { runs } = await connect(options);
  const changed = options.payload === undefined ? {} : { payload: options.payload };
  const made = await runs.replay(id, changed);
  if (options.json) printJson({ id: made.id });
  else console.log(made.id);
}
