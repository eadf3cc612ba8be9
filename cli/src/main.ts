import { CommanderError } from "commander";
import { CliError, messageOf } from "./errors.ts";
import { createProgram } from "./program.ts";

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  console.error(describe(error));
  process.exit(1);
}

/** What the user can act on is shown as it is; anything else is a fault of the program and keeps its stack trace. */
function describe(error: unknown): string {
  const expected =
    error instanceof CliError ||
    (error instanceof Error && /^(Server|Api\w*|\w*)Error$/.test(error.name) && "status" in error);
  if (expected || (error instanceof Error && error.name === "ServerError")) return messageOf(error);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
