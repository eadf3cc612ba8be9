import { type Command, InvalidArgumentError, Option } from "commander";
import type { ServeOptions } from "../serve.ts";

// The values of @acme/server, repeated because loading that package would delay `--help`. A test compares them.
export const DEFAULT_PORT = 8787;
export const MAX_PROCESSES = 64;
export const EXECUTORS = ["docker", "process", "auto"] as const;

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("a number from 0 (any free port) to 65535.");
}

function parseProcesses(text: string): number {
  const processes = Number(text);
  if (/^\d+$/.test(text) && processes >= 1 && processes <= MAX_PROCESSES) return processes;
  throw new InvalidArgumentError(`a number from 1 to ${MAX_PROCESSES}.`);
}

export function addUpCommand(program: Command): void {
  const up = program
    .command("up")
    .alias("server")
    .description("run the whole platform on this machine: API, dashboard, database and a container host")
    .option("--port <n>", "port to listen on, 0 for any free one", parsePort, DEFAULT_PORT)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--data <dir>", "folder for all data", ".acme")
    .addOption(new Option("--executor <kind>", "how runs are executed").choices(EXECUTORS).default("auto"))
    .option("--clickhouse <url>", "keep logs, traces and metrics in a ClickHouse (docs/clickhouse.md)")
    .option(
      "--processes <n>",
      "processes that share the environments, for machines from eight cores on (docs/processes.md)",
      parseProcesses,
      1,
    )
    .option("--example", "deploy an example and run it")
    .option("--once", "stop after the example's result; exit code 0 if it is right")
    .option("--verbose", "print all logs of the platform's parts, also in a terminal")
    .addHelpText(
      "after",
      `
All data is in the folder. A newer version of acme can use it, and a copy made
while the server is stopped is a backup. Mail, sign-in and networks are set
in DIR/settings.env (docs/accounts.md).

Examples:
  $ acme up
  $ acme up --example
  $ acme up --port 9000 --data /var/lib/acme
  $ acme up sign-in-link --email ada@example.com`,
    )
    .action(async (options: ServeOptions) => {
      const { serve } = await import("../serve.ts");
      const code = await serve(options);
      // Open handles (pipes, the channel to the process that started this one) must not keep this process alive.
      process.exit(code);
    });
  up.command("sign-in-link")
    .description("print a link that signs you in once, within a day, to the server on this machine")
    .option("--email <address>", "who signs in; default: the server's owner")
    .option("--data <dir>", "data folder of the server; default: the one of `acme up`")
    .action(async ({ email, data }: { email?: string; data?: string }) => {
      const { signInLinkOf } = await import("@acme/server");
      const folder = data ?? up.opts<ServeOptions>().data;
      console.log((await signInLinkOf(folder, email)).url);
    });
}
