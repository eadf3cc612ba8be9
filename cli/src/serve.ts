import { formatPlatformLog, isLogged, type PlatformLogRecord, platformLogSettings } from "@acme/sdk/contract";
import { messageOf, type RunningServer, startServer } from "@acme/server";
import { runExample } from "./example.ts";
import { aborted, interruption } from "./interruption.ts";
import { announceServer } from "./running-server.ts";
import { style } from "./terminal/style.ts";

export interface ServeOptions {
  port: number;
  host: string;
  data: string;
  executor: "docker" | "process" | "auto";
  clickhouse?: string;
  processes: number;
  example?: boolean;
  once?: boolean;
  verbose?: boolean;
}

/** Resolves with the exit code, after everything has stopped. */
export async function serve(options: ServeOptions): Promise<number> {
  const signal = interruption();
  const isTerminal = process.stderr.isTTY === true;
  const { level, format } = platformLogSettings(process.env, {
    // On a terminal only problems are shown; a log gets everything.
    level: isTerminal && !options.verbose ? "warn" : "info",
    format: isTerminal ? "pretty" : "json",
  });
  const server = await startServer({
    dataDir: options.data,
    port: options.port,
    host: options.host,
    executor: options.executor,
    processes: options.processes,
    ...(options.clickhouse ? { clickhouse: options.clickhouse } : {}),
    signal,
    log: (record) => {
      if (isLogged(record.level, level) || isForPeople(record))
        console.error(formatPlatformLog(record, format));
    },
  }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return null;
  });
  if (!server) return 130;
  const conceal = announceServer(server.localFile);
  try {
    let exampleRun: string | null = null;
    if (options.example || options.once) {
      exampleRun = await tryExample(server, signal);
      if (exampleRun === null && options.once) return signal.aborted ? 130 : 1;
    }
    if (options.once) return 0;
    console.log(welcome(server, options, exampleRun));
    await aborted(signal);
    console.log("Stopping: the container host first, then the Worker…");
    return 0;
  } finally {
    conceal();
    await server.stop();
  }
}

/** Lines for the user who started the server: the progress of the start, and mails that it does not send. */
const isForPeople = ({ part }: PlatformLogRecord): boolean => part === "server" || part === "mail";

/** Prints where everything is, and what to do next. Programs wait for its first line. */
function welcome(server: RunningServer, options: ServeOptions, exampleRun: string | null): string {
  const again = `acme up sign-in-link${options.data === ".acme" ? "" : ` --data ${options.data}`}`;
  const facts: [string, string][] = [
    ["Dashboard", server.dashboardUrl],
    ["Project", server.projectRef],
    ["Keys", server.localFile],
    ["Runs", server.executor === "docker" ? "in containers" : "in processes on this machine"],
  ];
  const steps: [string, string][] = [
    ["acme init", "add a configuration and an example task to the project"],
    ["acme dev", "execute its tasks; reload them whenever a file is saved"],
    ["acme deploy", "deploy a version that runs on this server"],
  ];
  const columns = ([name, text]: [string, string]) => `  ${style("dim", name.padEnd(12))} ${text}`;
  return [
    `\nAcme is running at ${server.apiUrl}; Ctrl-C stops it, the data is kept.`,
    "",
    ...facts.map(columns),
    "",
    ...(server.signInLink
      ? [
          `Sign in, once and within a day (\`${again}\` prints another link):`,
          `  ${openingRun(server.signInLink, exampleRun)}`,
        ]
      : [`\`${again}\` prints a link that signs you in.`]),
    "",
    "Next, in another terminal, in the folder of a project:",
    ...steps.map(([name, text]) => `  ${style("bold", name.padEnd(12))} ${text}`),
  ].join("\n");
}

/** The sign-in link, which opens the dashboard on this run if there is one. */
function openingRun(signInLink: string, run: string | null): string {
  if (run === null) return signInLink;
  const link = new URL(signInLink);
  link.searchParams.set("callbackURL", `/r/${run}`);
  return link.href;
}

/**
 * Returns the id of the example's run, or null if the example failed. The server keeps running then, unless `--once`
 * asks only for the example.
 */
async function tryExample(server: RunningServer, signal: AbortSignal): Promise<string | null> {
  try {
    return await runExample(server, signal);
  } catch (error) {
    if (!signal.aborted) console.error(`The example failed: ${messageOf(error)}`);
    return null;
  }
}
