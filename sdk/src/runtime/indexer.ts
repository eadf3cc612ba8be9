/**
 * The child process of an `Indexer`: waits for the path of a bundle, one line on file descriptor 4, imports it, and writes one
 * line of JSON, an IndexReport, to file descriptor 3. Always exits with 0 after that, and also when its parent ends before.
 */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { pathToFileURL } from "node:url";
import { shortStack } from "../run/run-error.ts";
import { state } from "../run/state.ts";
import { type IndexProblem, manifestOf } from "./manifest.ts";

/** The child's report. */
export type IndexReport = ReturnType<typeof manifestOf>;

const REPORT_FD = 3;
const REQUEST_FD = 4;

/** Resolves with the path. The descriptor is closed then, so that it keeps no process alive whose code waits for nothing. */
function requestedBundle(): Promise<string> {
  return new Promise((resolve) => {
    const socket = new Socket({ fd: REQUEST_FD, readable: true, writable: false });
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (!text.endsWith("\n")) return;
      socket.destroy();
      resolve(text.slice(0, -1));
    });
    // The parent needs no manifest any more, or has ended.
    socket.on("end", () => process.exit(0));
    socket.on("error", () => process.exit(0));
  });
}

function report(result: IndexReport): never {
  let bytes = Buffer.from(`${JSON.stringify(result)}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(REPORT_FD, bytes));
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

const bundle = await requestedBundle();
process.on("uncaughtException", failed);
process.on("unhandledRejection", failed);
process.setSourceMapsEnabled(true);
try {
  await import(pathToFileURL(bundle).href);
} catch (error) {
  failed(error);
}
report(manifestOf(state));
