import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Counts, TelemetrySource } from "./disk-buffer.ts";

const FILE = "dropped.log";
/** Above that, what is no longer needed of the file is left out. */
const MAX_BYTES = 256 * 1024;

/** What was dropped of an attempt, and not yet said in its run's log. */
export interface Drop extends Counts {
  source: TelemetrySource;
}

/**
 * What was dropped and not yet said, by attempt, also on disk: a host that is killed says it when it is started again. The file has
 * a line for each change; the last one of an attempt counts.
 */
export class DropLog {
  readonly #path: string;
  readonly #drops: Map<string, Drop>;
  #fd: number | undefined;
  #bytes = 0;

  constructor(folder: string) {
    this.#path = join(folder, FILE);
    this.#drops = dropsIn(this.#path);
  }

  get(source: TelemetrySource): Drop | undefined {
    return this.#drops.get(keyOf(source));
  }

  all(): Drop[] {
    return [...this.#drops.values()];
  }

  add(source: TelemetrySource, counts: Counts): void {
    const known = this.get(source) ?? { source, logs: 0, spans: 0, metrics: 0 };
    const drop = {
      source,
      logs: known.logs + counts.logs,
      spans: known.spans + counts.spans,
      metrics: known.metrics + counts.metrics,
    };
    this.#drops.set(keyOf(source), drop);
    this.#write([drop]);
  }

  /** It is said in the run's log. */
  settle({ source }: Drop): void {
    this.#drops.delete(keyOf(source));
    if (this.#drops.size === 0) this.#remove();
    else this.#write([{ source, logs: 0, spans: 0, metrics: 0 }]);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** A disk that takes nothing is said elsewhere: the counts are still in memory. */
  #write(drops: Drop[]): void {
    try {
      if (this.#bytes > MAX_BYTES) {
        this.#remove();
        drops = this.all();
      }
      this.#fd ??= openSync(this.#path, "a", 0o600);
      const text = drops.map((drop) => `${JSON.stringify(drop)}\n`).join("");
      this.#bytes += writeSync(this.#fd, text);
    } catch {
      this.close();
    }
  }

  #remove(): void {
    this.close();
    this.#bytes = 0;
    rmSync(this.#path, { force: true });
  }
}

const keyOf = ({ runId, attempt }: TelemetrySource): string => `${runId} ${attempt}`;

function dropsIn(path: string): Map<string, Drop> {
  const drops = new Map<string, Drop>();
  for (const line of textOf(path).split("\n")) {
    const drop = parsed(line);
    if (!drop) continue;
    if (drop.logs + drop.spans + drop.metrics > 0) drops.set(keyOf(drop.source), drop);
    else drops.delete(keyOf(drop.source));
  }
  return drops;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Null: a line that was torn when the machine stopped. */
function parsed(line: string): Drop | null {
  try {
    const drop = JSON.parse(line) as Partial<Drop>;
    const { source, logs, spans, metrics } = drop;
    const isDrop =
      typeof source?.runId === "string" &&
      typeof source.attempt === "number" &&
      [logs, spans, metrics].every((count) => typeof count === "number");
    return isDrop ? (drop as Drop) : null;
  } catch {
    return null;
  }
}
