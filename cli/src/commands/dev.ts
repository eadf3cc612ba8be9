import { type Command, InvalidArgumentError } from "commander";
import { isInteractive, terminalWidth } from "../terminal/style.ts";

interface DevCommandOptions {
  config?: string;
  branch?: string;
  apiUrl?: string;
  envFile?: string[];
  maxConcurrentRuns: number;
  takeOver?: boolean;
  inspect?: boolean | string;
  logs?: boolean;
  json?: boolean;
}

const MOST_RUNS = 100;

function numberOfRuns(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= MOST_RUNS) return number;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${MOST_RUNS}.`);
}

export function addDevCommand(program: Command): void {
  program
    .command("dev")
    .description("execute the tasks of a project on this machine; reload them whenever a file changes")
    .argument("[dir]", "the project's folder", ".")
    .option("-c, --config <file>", "configuration file, relative to the folder")
    .option(
      "-b, --branch <name>",
      "a branch of your development environment, with runs of its own (or ACME_DEV_BRANCH)",
    )
    .option(
      "--env-file <file...>",
      "variables of the tasks, instead of .env, .env.development and .env.local",
    )
    .option("--max-concurrent-runs <n>", "maximum number of runs at once", numberOfRuns, 25)
    .option("--take-over", "end another machine's `acme dev` for the same environment")
    .option("--inspect [address]", "let debuggers attach to the task processes, by default at 127.0.0.1:9229")
    .option("--logs", "show the logs of tasks (in a terminal, press l to toggle them)")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print one JSON object per event")
    .addHelpText(
      "after",
      `
Runs come from your development environment of the project (\`acme login\`), from
the environment of a secret key (ACME_SECRET_KEY=tr_dev_…), or, without both, from
the server that \`acme up\` started on this machine.

Examples:
  $ acme dev
  $ acme dev ./jobs --logs
  $ acme dev --branch feat/search
  $ acme dev --inspect
  $ acme dev --json | jq -c 'select(.type == "run")'`,
    )
    .action(run);
}

async function run(dir: string, options: DevCommandOptions): Promise<void> {
  const [{ devBranch }, { dev }, { jsonScreen, textScreen }, { inspectAddress }] = await Promise.all([
    import("../access.ts"),
    import("../dev/dev.ts"),
    import("../dev/screen.ts"),
    import("../dev/inspector.ts"),
  ]);
  let showsLogs = options.logs ?? false;
  const write = (line: string) => console.log(line);
  const screen = options.json ? jsonScreen(write) : textScreen(write, () => showsLogs, terminalWidth);
  const restore = options.json
    ? () => {}
    : onKey("l", () => {
        showsLogs = !showsLogs;
        write(showsLogs ? "Logs are shown." : "Logs are hidden.");
      });
  try {
    await dev({
      dir,
      config: options.config,
      branch: options.branch ?? devBranch(),
      apiUrl: options.apiUrl,
      envFiles: options.envFile,
      maxConcurrentRuns: options.maxConcurrentRuns,
      takeOver: options.takeOver ?? false,
      inspect: options.inspect ? inspectAddress(options.inspect) : undefined,
      screen,
    });
  } finally {
    restore();
  }
}

/**
 * Calls `action` when a key is pressed in a terminal. Ctrl-C still interrupts. Returns a function that stops
 * this.
 */
function onKey(key: string, action: () => void): () => void {
  const { stdin } = process;
  if (!isInteractive() || !stdin.isTTY) return () => {};
  const listen = (data: Buffer): void => {
    const text = data.toString();
    if (text === key) action();
    // In raw mode the terminal does not send the signal itself.
    if (text === "\u0003") process.kill(process.pid, "SIGINT");
  };
  stdin.setRawMode(true);
  stdin.on("data", listen);
  return () => {
    stdin.off("data", listen);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
