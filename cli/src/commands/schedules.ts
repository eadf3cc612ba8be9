import type { Command } from "commander";
import { relativeTime } from "../terminal/format.ts";
import { isInteractive, style, terminalWidth } from "../terminal/style.ts";
import { table } from "../terminal/table.ts";
import { connect, type EnvironmentOptions, printJson, withEnvironment } from "./connection.ts";

type Schedule = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>["schedules"]["retrieve"]>>;

export function addScheduleCommands(program: Command): void {
  const group = program.command("schedules").description("list, activate and deactivate schedules");
  withEnvironment(group.command("list").alias("ls").description("list the environment's schedules"))
    .addHelpText("after", "\nExample:\n  $ acme schedules list --json | jq '.[].nextRun'")
    .action(async (options: EnvironmentOptions) => {
      const { schedules } = await connect(options);
      const found: Schedule[] = [];
      for await (const schedule of schedules.list({ perPage: 100 })) found.push(schedule);
      if (options.json) printJson(found);
      else if (found.length === 0) console.error("There are no schedules.");
      else console.log(lines(found).join("\n"));
    });
  for (const [command, description, done] of [
    ["activate", "activate a schedule again, from its next tick on", "active"],
    ["deactivate", "deactivate a schedule; deployments do not activate it again", "inactive"],
  ] as const) {
    withEnvironment(
      group
        .command(command)
        .description(description)
        .argument("<id>", "the schedule's id, sched_…, or its deduplication key"),
    ).action(async (id: string, options: EnvironmentOptions) => {
      const { schedules } = await connect(options);
      const schedule = await schedules[command](id);
      if (options.json) printJson(schedule);
      else console.log(`Schedule ${schedule.id} of task ${schedule.task} is ${done}.`);
    });
  }
}

function lines(found: Schedule[]): string[] {
  const now = Date.now();
  return table(
    [
      { title: "ID", value: ({ id }) => id },
      { title: "CRON", value: ({ generator }) => generator.expression },
      { title: "ZONE", value: ({ timezone }) => timezone },
      {
        title: "NEXT",
        value: ({ active, nextRun }) => {
          if (!active || !nextRun) return "inactive";
          return isInteractive() ? relativeTime(nextRun, now) : nextRun.toISOString();
        },
        style: (text, { active }) => style(active ? "green" : "gray", text),
      },
      { title: "TASK", value: ({ task }) => task, flexible: true },
    ],
    found,
    terminalWidth(),
  );
}
