import { CommanderError } from "commander";
import { createProgram } from "./program.ts";

const EXIT_USAGE = 2;

/** Errors that the user can act on are shown as they are. Any other error is a bug and is shown with its stack trace. */
const EXPECTED = new Set([
  "CliError",
  "ProblemsError",
  "ServerError",
  "ApiClientMissingError",
  "BatchTriggerError",
]);

/**
 * Compared by name, because loading the classes would delay commands that do not need them. API errors have a
 * status.
 */
function isExpected(error: Error): boolean {
  return (
    EXPECTED.has(error.name) || error.name === "TriggerApiError" || error.name === "TriggerApiConnectionError"
  );
}

// A reader that ends early, like `head`, is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the error already. Help and version are errors with the code 0.
    process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
  }
  const shown =
    error instanceof Error
      ? isExpected(error)
        ? error.message
        : (error.stack ?? error.message)
      : String(error);
  console.error(shown);
  process.exit(1);
}
