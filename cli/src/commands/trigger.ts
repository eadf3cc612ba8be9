import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { collect, parseJson } from "./arguments.ts";
import { connect, connectLive, type EnvironmentOptions, printJson, withEnvironment } from "./connection.ts";

interface TriggerCommandOptions extends EnvironmentOptions {
  wait?: boolean;
  follow?: boolean;
  delay?: string;
  queue?: string;
  key?: string;
  idempotencyKey?: string;
  tag?: string[];
  version?: string;
}

export function addTriggerCommand(program: Command): void {
  withEnvironment(
    program
      .command("trigger")
      .description("trigger a run of a task")
      .argument("<task>", "the task's id")
      .argument("[payload]", "JSON, or @file.json, or - for standard input", parseJson)
      .option("-w, --wait", "wait until the run has finished, and print its output")
      .option("-f, --follow", "print its states and logs as they arrive, and then its output")
      .option("--delay <time>", 'start no earlier: "30s", "1h", or an ISO 8601 date')
      .option("-q, --queue <name>", "queue, instead of the task's")
      .option("-k, --key <key>", "concurrency key")
      .option("-i, --idempotency-key <key>", "triggers with the same key return the same run")
      .option("-t, --tag <tag>", "tag the run; can be repeated", collect)
      .option("--version <version>", "run on this version instead of the current one"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ acme trigger hello-world '{"name":"World"}' --wait
  $ acme trigger hello-world '{"name":"World"}' --follow
  $ acme trigger import @rows.json --tag nightly --queue imports
  $ acme trigger report --delay 1h`,
    )
    .action(trigger);
}

async function trigger(task: string, payload: unknown, options: TriggerCommandOptions): Promise<void> {
  const connection = await connect(options);
  const { runs, tasks } = connection;
  const handle = await tasks.trigger(task, payload, {
    delay: options.delay,
    queue: options.queue,
    concurrencyKey: options.key,
    idempotencyKey: options.idempotencyKey,
    tags: options.tag,
    version: options.version,
  });
  if (options.follow) {
    const live = await connectLive(connection);
    const { followRun } = await import("./follow.ts");
    await followRun(live, handle.id, options.json ?? false);
    live.close();
  } else if (!options.wait) {
    if (options.json) printJson({ id: handle.id, isCached: handle.isCached ?? false });
    else console.log(handle.id);
    return;
  }
  const run = await runs.poll(handle.id, { pollIntervalMs: 250 });
  if (run.isSuccess) {
    printJson(run.output ?? null);
    return;
  }
  throw new CliError(
    `Run ${run.id} ended as ${run.status}: ${run.error?.message ?? "no error was reported"}\nIts logs: acme runs logs ${run.id}`,
  );
}
