import { Command } from "commander";
import { addDeployCommands } from "./commands/deploy.ts";
import { addRunCommands } from "./commands/runs.ts";
import { addServerCommand } from "./commands/server.ts";
import { addWhoamiCommand } from "./commands/whoami.ts";

/** The command line: `acme COMMAND …`. Commands throw CliError for errors that the user can correct. */
export function createProgram(): Command {
  const program = new Command("acme")
    .description("Background tasks and durable workflows in TypeScript.")
    .version("0.1.0")
    .showHelpAfterError("(acme --help lists the commands)")
    .addHelpText(
      "after",
      `
Environment variables:
  ACME_API_URL        the server, like http://127.0.0.1:8787
  ACME_ACCESS_TOKEN   personal access token (tr_pat_…) for deploy, promote and whoami
  ACME_SECRET_KEY     an environment's key (tr_prod_…) for trigger and runs
  ACME_PROJECT_REF    project, instead of the configuration's
Without them, the server that was started here with \`acme server\` or \`npm start\` is used.`,
    );
  addDeployCommands(program);
  addRunCommands(program);
  addWhoamiCommand(program);
  addServerCommand(program);
  return program;
}
