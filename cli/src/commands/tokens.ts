import type { Command } from "commander";
import { relativeTime } from "../terminal/format.ts";
import { isInteractive, style, terminalWidth } from "../terminal/style.ts";
import { table } from "../terminal/table.ts";
import { collect, parseJson, parseLimit } from "./arguments.ts";
import { connect, type EnvironmentOptions, printJson, withEnvironment } from "./connection.ts";

const STATUS = { WAITING: "magenta", COMPLETED: "green", TIMED_OUT: "red" } as const;

export function addTokenCommands(program: Command): void {
  const group = program
    .command("tokens")
    .description("list, create and complete the tokens that runs wait for");
  withEnvironment(
    group
      .command("list")
      .alias("ls")
      .description("list the newest tokens")
      .option("-n, --limit <n>", "how many, 1 to 100", parseLimit, 20)
      .option("--tag <tag>", "only tokens with this tag; can be repeated", collect),
  ).action(async (options: EnvironmentOptions & { limit: number; tag?: string[] }) => {
    const { wait } = await connect(options);
    const { data } = await wait.listTokens({ limit: options.limit, tags: options.tag });
    if (options.json) {
      printJson(data);
      return;
    }
    if (data.length === 0) {
      console.error("There are no such tokens.");
      return;
    }
    const now = Date.now();
    const lines = table(
      [
        { title: "ID", value: ({ id }) => id },
        {
          title: "STATUS",
          value: ({ status }) => status,
          style: (text, row) => style(STATUS[row.status], text),
        },
        {
          title: "CREATED",
          value: ({ createdAt }) =>
            isInteractive() ? relativeTime(createdAt, now) : createdAt.toISOString(),
        },
        { title: "TAGS", value: ({ tags }) => tags.join(", "), flexible: true },
      ],
      data,
      terminalWidth(),
    );
    console.log(lines.join("\n"));
  });
  withEnvironment(
    group
      .command("create")
      .description("create a token, and print its id and the URL that completes it")
      .option("--timeout <time>", 'time out after "10m", "7d", or at an ISO 8601 date; default: never')
      .option("--tag <tag>", "tag the token; can be repeated", collect),
  ).action(async (options: EnvironmentOptions & { timeout?: string; tag?: string[] }) => {
    const { wait } = await connect(options);
    const token = await wait.createToken({ timeout: options.timeout, tags: options.tag });
    if (options.json) printJson(token);
    else console.log(`${token.id}\n${token.url}`);
  });
  withEnvironment(
    group
      .command("complete")
      .description("complete a token: runs that wait for it resume with the data")
      .argument("<id>", "the token's id, waitpoint_…")
      .argument("[data]", "JSON, or @file.json, or - for standard input", parseJson),
  )
    .addHelpText("after", `\nExample:\n  $ acme tokens complete waitpoint_… '{"ok":true}'`)
    .action(async (id: string, data: unknown, options: EnvironmentOptions) => {
      const { wait } = await connect(options);
      const result = await wait.completeToken(id, data as Record<string, unknown>);
      if (options.json) printJson(result);
      else console.log(`Token ${id} is completed.`);
    });
}
