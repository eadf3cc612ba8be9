import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { ServerError } from "../errors.ts";
import { writePrivateJson } from "../private-file.ts";

const Placement = z.object({ process: z.int().nonnegative(), type: z.string() });
type Placement = z.output<typeof Placement>;
const Stored = z.object({ environments: z.record(z.string(), Placement) });

/**
 * With this number of processes or more, the first one gets no new environments: the global objects in it cost about as much
 * as its share of the environments would (docs/decisions/0025-processes.md).
 */
const SPARED_FROM = 4;

/**
 * Which process has the objects of which environment. The file changes only when an environment is created.
 * Environments that are not in it were created while there was only one process, and are in process 0.
 */
export class Placements {
  readonly #file: string;
  readonly #environments: Map<string, Placement>;

  constructor(file: string) {
    this.#file = file;
    this.#environments = new Map(existsSync(file) ? Object.entries(stored(file).environments) : []);
  }

  of(environmentKey: string): number {
    return this.#environments.get(environmentKey)?.process ?? 0;
  }

  /**
   * Gives a new environment the process with the fewest of its type: those for production have most runs. Repeating the
   * call changes nothing.
   */
  place(environmentKey: string, type: string, processes: number): number {
    const earlier = this.#environments.get(environmentKey);
    if (earlier) return earlier.process;
    const loads = Array.from({ length: processes }, (_, process) => ({ process, ofType: 0, all: 0 }));
    for (const placed of this.#environments.values()) {
      const load = loads[placed.process];
      if (!load) continue;
      load.all += 1;
      if (placed.type === type) load.ofType += 1;
    }
    const [{ process }] = (processes < SPARED_FROM ? loads : loads.slice(1)).sort(
      (a, b) => a.ofType - b.ofType || a.all - b.all || a.process - b.process,
    ) as [(typeof loads)[number]];
    const placement = { process, type };
    // Written to the file first, because an answer must still be true after a crash.
    const environments = Object.fromEntries([...this.#environments, [environmentKey, placement]]);
    writePrivateJson(this.#file, { environments });
    this.#environments.set(environmentKey, placement);
    return process;
  }

  /** The number of environments in processes from this number on. */
  countFrom(process: number): number {
    return [...this.#environments.values()].filter((each) => each.process >= process).length;
  }

  /** The highest number of a process that has an environment. */
  get last(): number {
    return Math.max(0, ...[...this.#environments.values()].map((each) => each.process));
  }
}

function stored(file: string): z.output<typeof Stored> {
  try {
    return Stored.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    throw new ServerError(
      `${file} can't be read. It says which process has which environment. Restore it from a backup.`,
    );
  }
}
