import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { WorkerManifest } from "../contract/manifest.ts";
import type { IndexReport } from "./indexer.ts";
import type { IndexProblem } from "./manifest.ts";
import { INDEXER_ENTRY } from "./programs.ts";

export interface IndexOptions {
  /** Path of the bundle, an ES module. */
  bundle: string;
  /** The child's environment, to which `ACME_INDEXING=1` is added. Default: that of this process. */
  env?: Record<string, string | undefined>;
  /** Path of Node.js. Default: the one that runs this process. */
  node?: string;
  /** Path of the indexer, if it was bundled elsewhere. */
  indexer?: string;
  /** Milliseconds. Default 60,000. */
  timeoutMs?: number;
}

/** `output` is what the project's code wrote while it was loaded, at most the last 64 KB. */
export type IndexResult = { output: string } & ({ manifest: WorkerManifest } | { problem: IndexProblem });

const MAX_OUTPUT = 64 * 1_024;

/**
 * Loads a bundle in its own process and returns the tasks and queues it declares. Never rejects for what the
 * bundle does.
 */
export async function indexBundle(options: IndexOptions): Promise<IndexResult> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const indexer = options.indexer ?? fileURLToPath(INDEXER_ENTRY);
  const child = spawn(options.node ?? process.execPath, [indexer, options.bundle, "3"], {
    env: { ...(options.env ?? process.env), ACME_INDEXING: "1" },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let output = "";
  let report = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT);
    });
  }
  const channel = child.stdio[3];
  if (channel && "setEncoding" in channel) {
    channel.setEncoding("utf8").on("data", (text: string) => {
      report += text;
    });
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const ended = await new Promise<{ code: number | null; signal: string | null } | Error>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal }));
    child.on("error", resolve);
  });
  clearTimeout(timer);
  if (ended instanceof Error) throw ended;
  const fail = (code: IndexProblem["code"], message: string): IndexResult => ({
    output,
    problem: { code, message },
  });
  if (timedOut) {
    return fail(
      "TIMED_OUT",
      `Loading the project's code took longer than ${timeoutMs} ms. Check for code at the top level of a file that never ends`,
    );
  }
  if (!report.endsWith("\n")) {
    const how = ended.signal ? `signal ${ended.signal}` : `exit code ${ended.code}`;
    return fail("PROCESS_ENDED", `The project's code ended the process (${how}) while it was being loaded`);
  }
  const found = JSON.parse(report) as IndexReport;
  if ("problem" in found) return { output, problem: found.problem };
  const checked = WorkerManifest.safeParse(found.manifest);
  if (checked.success) return { output, manifest: checked.data };
  return fail("INVALID_TASK", describe(found.manifest, checked.error));
}

/** zod identifies tasks by their index; users know them by their id. */
function describe(manifest: WorkerManifest, error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => {
      const [list, index, ...rest] = path;
      const field = rest.join(".");
      if (list === "tasks" && typeof index === "number") {
        const task = manifest.tasks[index];
        return `Task "${task?.id}" in ${task?.filePath || "the bundle"}: ${field}: ${message}`;
      }
      if (list === "queues" && typeof index === "number")
        return `Queue "${manifest.queues[index]?.name}": ${field}: ${message}`;
      return `${path.join(".")}: ${message}`;
    })
    .join("\n");
}
