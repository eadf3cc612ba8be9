import { ApiConnectionError, ApiError } from "@acme/sdk";
import { messageOf, ServerError } from "@acme/server";
import { CliError } from "./errors.ts";
import { createProgram } from "./program.ts";

/** What the user can act on: shown as it is. Anything else is a fault of the program and keeps its stack trace. */
const EXPECTED = [CliError, ServerError, ApiError, ApiConnectionError];

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  const expected = EXPECTED.some((kind) => error instanceof kind);
  console.error(expected || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message));
  process.exit(1);
}
