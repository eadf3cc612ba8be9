import { ApiConnectionError, ApiError } from "@acme/sdk";
import { messageOf, ServerError } from "@acme/server";
import { CliError } from "./errors.ts";
import { createProgram } from "./program.ts";

/**
 * Errors that the user can act on are shown as they are. Any other error is a bug and is shown with its stack
 * trace.
 */
const EXPECTED = [CliError, ServerError, ApiError, ApiConnectionError];

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  const expected = EXPECTED.some((kind) => error instanceof kind);
  console.error(expected || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message));
  process.exit(1);
}
