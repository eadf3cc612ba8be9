import type { LogLine } from "@acme/sdk/contract/api";
import type { Command } from "commander";
import { isInteractive, style } from "../terminal/style.ts";
import { connect, type EnvironmentOptions, withEnvironment } from "./connection.ts";
import { clock, levelText, messageText } from "./log-line.ts";

interface SearchOptions extends EnvironmentOptions {
  level?: string;
  task?: string;
  run?: string;
  property?: string[];
  period?: string;
  from?: string;
  to?: string;
  limit: string;
}

/** The maximum number of lines in one response. */
const PAGE = 500;

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function addLogCommands(program: Command): void {
  const group = program
    .command("logs")
    .description("search the logs of all runs (the server needs ClickHouse)");
  withEnvironment(
    group
      .command("search")
      .description("print log lines that contain all of these words, oldest first")
      .argument("[words...]", 'words in any order and case; "quoted words" are a phrase')
      .option("--level <levels>", "only of these levels: debug, log, info, warn, error")
      .option("--task <tasks>", "only of these tasks")
      .option("--run <id>", "only of this run")
      .option("--property <name=value>", "only with this property; can be repeated: all must match", collect)
      .option("--period <duration>", "how far back, like 1h or 7d; default: a day")
      .option("--from <time>", "from this time on")
      .option("--to <time>", "until this time")
      .option("-n, --limit <n>", "maximum number of lines; the newest are printed", "100"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ acme logs search declined --level error,warn --period 7d
  $ acme logs search '"card declined"' --task charge --property user=ada
  $ acme logs search --run run_… --json | jq .message

The log of one run needs no ClickHouse: acme runs logs run_…`,
    )
    .action(search);
}

async function search(words: string[], options: SearchOptions): Promise<void> {
  const { access } = await connect(options);
  const [{ call }, { SearchLogsResponse }, { CliError }] = await Promise.all([
    import("../api/call.ts"),
    import("@acme/sdk/contract/api"),
    import("../errors.ts"),
  ]);
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
    throw new CliError("--limit is a number from 1 to 10000.");
  const query = new URLSearchParams();
  const add = (name: string, value: string | undefined) => value && query.set(name, value);
  add("text", words.join(" "));
  for (const name of ["level", "task", "run", "period", "from", "to"] as const) add(name, options[name]);
  add("property", options.property?.join(","));
  const found: LogLine[] = [];
  for (let cursor: string | undefined; found.length < limit; ) {
    query.set("limit", String(Math.min(PAGE, limit - found.length)));
    add("cursor", cursor);
    const page = await call(access, SearchLogsResponse, "GET", `/api/v1/logs?${query}`);
    found.push(...page.logs);
    cursor = page.next;
    if (cursor === undefined) break;
  }
  // The server gives the newest first; a terminal shows what is newest last.
  for (const line of found.toReversed()) console.log(options.json ? JSON.stringify(line) : lineText(line));
  if (found.length === 0 && !options.json) console.error("No log lines in this period match.");
}

function lineText({ time, level, message, properties, runId }: LogLine): string {
  // Results can span several days, so they are shown with dates.
  const at = isInteractive() ? `${style("dim", time.slice(5, 10))} ${clock(time)}` : clock(time);
  return `${at} ${levelText(level)} ${style("dim", runId ?? "-")} ${messageText(message, properties)}`;
}
