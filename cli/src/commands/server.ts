import {
  DEFAULT_PORT,
  EXECUTORS,
  type Executor,
  messageOf,
  type RunningServer,
  signInLinkOf,
  startServer,
} from "@acme/server";
import { type Command, InvalidArgumentError, Option } from "commander";
import { runExample } from "../example.ts";
import { interruption } from "../interruption.ts";

interface ServerCommandOptions {
  port: number;
  host: string;
  data: string;
  executor: Executor;
  example?: boolean;
  once?: boolean;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("a number from 0 (any free port) to 65535.");
}

export function addServerCommand(program: Command): void {
  const server = program
    .command("server")
    .description("run the whole platform on this machine: API, dashboard, database and a container host")
    .option("--port <n>", "port to listen on, 0 for any free one", parsePort, DEFAULT_PORT)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--data <dir>", "folder for all data", ".acme")
    .addOption(new Option("--executor <kind>", "how runs are executed").choices(EXECUTORS).default("auto"))
    .option("--example", "deploy examples/hello-world and run it")
    .option("--once", "stop after the example's result; exit code 0 if it is right")
    .action(async (options: ServerCommandOptions) => {
      const code = await serve(options);
      // Open handles (pipes, the channel to the process that started this one) must not keep this process
      // alive.
      process.exit(code);
    });
  server
    .command("sign-in-link")
    .description("print a link that signs you in to the server that runs here, once, within a day")
    .option("--email <address>", "who signs in; default: the server's owner")
    .action(async ({ email }: { email?: string }) => {
      const { data } = server.opts<ServerCommandOptions>();
      console.log((await signInLinkOf(data, email)).url);
    });
}

/** Resolves with the exit code, after everything has stopped. */
async function serve(options: ServerCommandOptions): Promise<number> {
  const signal = interruption();
  const server = await startServer({
    dataDir: options.data,
    port: options.port,
    host: options.host,
    executor: options.executor,
    signal,
    log: (line) => console.error(line),
  }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return null;
  });
  if (!server) return 130;
  try {
    if (options.example || options.once) {
      const problem = await exampleProblem(server, signal);
      if (problem !== null && options.once) return signal.aborted ? 130 : 1;
    }
    if (options.once) return 0;
    console.log(
      `\nAcme is running at ${server.apiUrl}; keys and addresses are in ${server.localFile}. Press Ctrl-C to stop it; the data is kept.`,
    );
    if (server.signInLink) {
      console.log(
        `Sign in, once and within a day (\`acme server sign-in-link\` prints another link):\n  ${server.signInLink}`,
      );
    }
    await aborted(signal);
    console.log("Stopping: the container host first, then the Worker…");
    return 0;
  } finally {
    await server.stop();
  }
}

/**
 * Returns why the example failed, or null. The server keeps running then, unless `--once` asks only for the
 * example.
 */
async function exampleProblem(server: RunningServer, signal: AbortSignal): Promise<string | null> {
  try {
    await runExample(server, signal);
    return null;
  } catch (error) {
    const problem = messageOf(error);
    if (!signal.aborted) console.error(`The example failed: ${problem}`);
    return problem;
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
