import type { Command } from "commander";
import { style, terminalWidth } from "../terminal/style.ts";
import { table } from "../terminal/table.ts";
import { connect, type EnvironmentOptions, printJson, withEnvironment } from "./connection.ts";

type Queue = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>["queues"]["retrieve"]>>;

/** `task/ID` is a task's own queue, `queue_…` an id, and anything else a name that `queue()` declares. */
function parameterOf(name: string): string | { type: "task" | "custom"; name: string } {
  if (/^queue_[0-9a-z]{18}$/.test(name)) return name;
  return name.startsWith("task/")
    ? { type: "task", name: name.slice("task/".length) }
    : { type: "custom", name };
}

const nameOf = ({ type, name }: Queue): string => (type === "task" ? `task/${name}` : name);
const QUEUE = "a name declared with queue(), task/TASK_ID for a task's own queue, or an id";

export function addQueueCommands(program: Command): void {
  const group = program.command("queues").description("list, pause and resume queues");
  withEnvironment(group.command("list").alias("ls").description("list the environment's queues"))
    .addHelpText("after", "\nExample:\n  $ acme queues list --json | jq '.[] | select(.queued > 0)'")
    .action(async (options: EnvironmentOptions) => {
      const { queues } = await connect(options);
      const found: Queue[] = [];
      for await (const queue of queues.list({ perPage: 100 })) found.push(queue);
      print(found, options);
    });
  for (const [command, description, done] of [
    ["pause", "start no more runs of a queue; executing runs continue", "paused"],
    ["resume", "start runs of a paused queue again", "resumed"],
  ] as const) {
    withEnvironment(group.command(command).description(description).argument("<queue>", QUEUE))
      .addHelpText(
        "after",
        `\nExamples:\n  $ acme queues ${command} emails\n  $ acme queues ${command} task/import`,
      )
      .action(async (name: string, options: EnvironmentOptions) => {
        const { queues } = await connect(options);
        const queue = await queues[command](parameterOf(name));
        if (options.json) printJson(queue);
        else console.log(`Queue ${nameOf(queue)} is ${done}.`);
      });
  }
  withEnvironment(group.command("get").description("show a queue").argument("<queue>", QUEUE))
    .addHelpText("after", "\nExample:\n  $ acme queues get task/hello-world")
    .action(async (name: string, options: EnvironmentOptions) => {
      const { queues } = await connect(options);
      const queue = await queues.retrieve(parameterOf(name));
      if (options.json) printJson(queue);
      else print([queue], options);
    });
}

function print(found: Queue[], { json }: EnvironmentOptions): void {
  if (json) {
    printJson(found);
    return;
  }
  if (found.length === 0) {
    console.error("There are no queues: none had runs, and the current deployment declares none.");
    return;
  }
  const limit = (value: number | null) => (value === null ? "-" : String(value));
  const lines = table(
    [
      { title: "QUEUE", value: nameOf, flexible: true },
      { title: "RUNNING", value: ({ running }) => String(running), align: "right" },
      { title: "QUEUED", value: ({ queued }) => String(queued), align: "right" },
      { title: "DELAYED", value: ({ delayed }) => String(delayed), align: "right" },
      { title: "LIMIT", value: ({ concurrencyLimit }) => limit(concurrencyLimit), align: "right" },
      {
        title: "STATE",
        value: ({ paused }) => (paused ? "paused" : "active"),
        style: (text, { paused }) => style(paused ? "yellow" : "green", text),
      },
    ],
    found,
    terminalWidth(),
  );
  console.log(lines.join("\n"));
}
