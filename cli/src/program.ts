import { styleText } from "node:util";
import { type Argument, Command } from "commander";
import { addAdminCommands } from "./commands/admin.ts";
import { addBatchCommands } from "./commands/batches.ts";
import { addBranchCommands } from "./commands/branches.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addDeployCommands } from "./commands/deploy.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addEnvCommands } from "./commands/env.ts";
import { addErrorCommands } from "./commands/errors.ts";
import { addHostCommand } from "./commands/host.ts";
import { addInitCommand } from "./commands/init.ts";
import { addKeyCommands } from "./commands/keys.ts";
import { addLoginCommands } from "./commands/login.ts";
import { addLogCommands } from "./commands/logs.ts";
import { addMcpCommand } from "./commands/mcp.ts";
import { addOpenCommand } from "./commands/open.ts";
import { addQueueCommands } from "./commands/queues.ts";
import { addRollbackCommand } from "./commands/rollback.ts";
import { addRunCommands } from "./commands/runs.ts";
import { addScheduleCommands } from "./commands/schedules.ts";
import { addTokenCommands } from "./commands/tokens.ts";
import { addTriggerCommand } from "./commands/trigger.ts";
import { addUpCommand } from "./commands/up.ts";
import { addUpdateCommand } from "./commands/update.ts";
import { addWhoamiCommand } from "./commands/whoami.ts";
import { VERSION } from "./version.ts";

const argumentText = (argument: Argument): string => {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
};

/**
 * The command line: `acme COMMAND …`. Commands throw CliError for errors that the user can correct. The modules
 * of commands import everything heavy when they are run, so that `--help` and completion are fast.
 */
export function createProgram(): Command {
  const program = new Command("acme")
    .description("Background tasks and durable workflows in TypeScript.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "show how a command is used")
    // A command's own options come after its name: `acme trigger … --version V` is not `acme --version`.
    .enablePositionalOptions()
    // Commander removes the styles where there is no terminal, or NO_COLOR is set. Subcommands inherit them.
    .configureHelp({
      // Every command has options, and its aliases are in its own help: without both, descriptions have more room.
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map(argumentText)].join(" "),
      styleTitle: (text) => styleText("bold", text, { validateStream: false }),
      styleSubcommandTerm: (text) => styleText("cyan", text, { validateStream: false }),
      styleOptionTerm: (text) => styleText("cyan", text, { validateStream: false }),
      styleArgumentTerm: (text) => styleText("cyan", text, { validateStream: false }),
    })
    .showHelpAfterError("Run the command with --help to see how it is used.")
    .exitOverride()
    .addHelpText(
      "after",
      `
Examples:
  $ acme up                               run the whole platform on this machine
  $ acme init                             add Acme to the project in this folder
  $ acme dev                              run the tasks of this folder here
  $ acme deploy --env prod                deploy the project in this folder
  $ acme trigger hello-world '{"name":"you"}' --wait
  $ acme runs list --status failed        acme runs logs run_… --follow

Environment variables:
  ACME_API_URL        the server, like http://127.0.0.1:8787
  ACME_ACCESS_TOKEN   personal access token (tr_pat_…), instead of a login
  ACME_SECRET_KEY     an environment's key (tr_prod_…), for runs, queues, …
  ACME_PROFILE        login to use, of those that \`acme profiles\` lists
  ACME_PROJECT_REF    project, instead of the configuration's
  NO_COLOR            no colors
Without the first three, the server that was started in this folder is used
(with \`acme up\`), or else the current login (\`acme login\`), or else the server
that runs on this machine.

Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted.`,
    );
  program.commandsGroup("Projects:");
  addInitCommand(program);
  addDevCommand(program);
  addDeployCommands(program);
  addRollbackCommand(program);
  addBranchCommands(program);
  addUpdateCommand(program);
  program.commandsGroup("Runs:");
  addTriggerCommand(program);
  addRunCommands(program);
  addBatchCommands(program);
  program.commandsGroup("Environment:");
  addLogCommands(program);
  addErrorCommands(program);
  addQueueCommands(program);
  addScheduleCommands(program);
  addTokenCommands(program);
  addEnvCommands(program);
  addKeyCommands(program);
  program.commandsGroup("Account:");
  addLoginCommands(program);
  addWhoamiCommand(program);
  program.commandsGroup("Servers:");
  addUpCommand(program);
  addHostCommand(program);
  addAdminCommands(program);
  program.commandsGroup("Other:");
  addOpenCommand(program);
  addMcpCommand(program);
  addCompletionCommand(program);
  program.helpCommand("help [command]", "show how a command is used");
  return program;
}
