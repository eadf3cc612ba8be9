import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { WorkerManifest } from "../contract/manifest.ts";
import type { IndexReport } from "./indexer.ts";
import type { IndexProblem } from "./manifest.ts";
import { INDEXER_ENTRY } from "./programs.ts";

export interface IndexerOptions {
  /** The child's environment, to which `ACME_INDEXING=1` is added. Default: that of this process. */
  env?: Record<string, string | undefined>;
}

export interface IndexOptions extends IndexerOptions {
  /** Path of the bundle, an ES module. */
  bundle: string;
  /** Milliseconds. Default 60,000. */
  timeoutMs?: number;
}

/** `output` is what the project's code wrote while it was loaded, at most the last 64 KB. */
export type IndexResult = { output: string } & ({ manifest: WorkerManifest } | { problem: IndexProblem });

const MAX_OUTPUT = 64 * 1_024;

type Ended = { code: number | null; signal: string | null } | Error;

/** A process that loads one bundle. It can be started before the bundle exists, which saves the time of its start. */
export class Indexer {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #output = "";
  #report = "";

  constructor({ env }: IndexerOptions = {}) {
    this.#child = spawn(process.execPath, [fileURLToPath(INDEXER_ENTRY)], {
      env: { ...(env ?? process.env), ACME_INDEXING: "1" },
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    });
    const { stdout, stderr, stdio } = this.#child;
    for (const stream of [stdout, stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-MAX_OUTPUT);
      });
    }
    const reports = stdio[3];
    if (reports && "setEncoding" in reports) {
      reports.setEncoding("utf8").on("data", (text: string) => {
        this.#report += text;
      });
    }
    // The end of the process says why it can't be written to.
    stdio[4]?.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => resolve({ code, signal }));
      this.#child.on("error", resolve);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it can still be given a bundle. */
  get isAlive(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends a process that is not needed. */
  close(): void {
    this.#child.kill("SIGKILL");
  }

  /**
   * Returns the tasks and queues that a bundle declares. Never rejects because of the bundle's code. Must be
   * called only once: the process ends after it.
   */
  async index(bundle: string, timeoutMs = 60_000): Promise<IndexResult> {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      this.close();
    }, timeoutMs);
    const requests = this.#child.stdio[4];
    if (requests && "write" in requests) requests.write(`${bundle}\n`);
    const ended = await this.#ended;
    clearTimeout(timer);
    if (ended instanceof Error) throw ended;
    return this.#result(ended, timedOut ? timeoutMs : undefined);
  }

  /** `timeoutMs`: it was ended after this time. */
  #result(
    { code, signal }: { code: number | null; signal: string | null },
    timeoutMs: number | undefined,
  ): IndexResult {
    const output = this.#output;
    const fail = (problem: IndexProblem["code"], message: string): IndexResult => ({
      output,
      problem: { code: problem, message },
    });
    if (timeoutMs !== undefined) {
      return fail(
        "TIMED_OUT",
        `Loading the project's code took longer than ${timeoutMs} ms. Check for code at the top level of a file that never ends`,
      );
    }
    if (!this.#report.endsWith("\n")) {
      const how = signal ? `signal ${signal}` : `exit code ${code}`;
      return fail("PROCESS_ENDED", `The project's code ended the process (${how}) while it was being loaded`);
    }
    const found = JSON.parse(this.#report) as IndexReport;
    if ("problem" in found) return { output, problem: found.problem };
    const checked = WorkerManifest.safeParse(found.manifest);
    if (checked.success) return { output, manifest: checked.data };
    return fail("INVALID_TASK", describe(found.manifest, checked.error));
  }
}

/** Loads a bundle in a process of its own and returns the tasks and queues it declares. */
export const indexBundle = ({ bundle, timeoutMs, ...options }: IndexOptions): Promise<IndexResult> =>
  new Indexer(options).index(bundle, timeoutMs);

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
