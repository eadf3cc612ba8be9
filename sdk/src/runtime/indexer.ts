/**
 * The child process of `indexBundle`: imports the bundle whose path is its first argument and writes one line
 * of JSON, an IndexReport, to the file descriptor that is its second one (default 3). Always exits with 0
 * after that.
 */
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { shortStack } from "../run/run-error.ts";
import { state } from "../run/state.ts";
import { type IndexProblem, manifestOf } from "./manifest.ts";

/** The child's report. */
export type IndexReport = ReturnType<typeof manifestOf>;

const [bundle, fd = "3"] = process.argv.slice(2);

function report(result: IndexReport): never {
  let bytes = Buffer.from(`${JSON.stringify(result)}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(Number(fd), bytes));
    } catch (error) {
      // The pipe is full. Its reader is another process, which will empty it.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
  process.exit(0);
}

function failed(error: unknown): never {
  const shown = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const problem: IndexProblem = {
    code: "IMPORT_FAILED",
    message: `The project's code could not be loaded: ${shown}`,
    stackTrace: error instanceof Error ? shortStack(error.stack) : undefined,
  };
  return report({ problem });
}

process.on("uncaughtException", failed);
process.on("unhandledRejection", failed);
process.setSourceMapsEnabled(true);
try {
  await import(pathToFileURL(bundle!).href);
} catch (error) {
  failed(error);
}
report(manifestOf(state));
