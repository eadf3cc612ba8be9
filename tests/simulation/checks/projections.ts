import type { QuerySide } from "../query-side.ts";
import type { Violations } from "./violations.ts";

type Columns = Record<string, unknown>;

/** Invariant 8: once nothing is in flight, the query side has the same runs and tokens as their owners. */
export class Projections {
  readonly #violations: Violations;
  readonly #querySide: QuerySide;
  /** Versions of runs that the query side may not have yet. */
  readonly #awaited = new Map<string, number>();

  constructor(violations: Violations, querySide: QuerySide) {
    this.#violations = violations;
    this.#querySide = querySide;
  }

  changed(runId: string, version: number): void {
    this.#awaited.set(runId, version);
  }

  /** These runs were sent in these versions, or later ones, before a queue answered that it had sent its changes. */
  sent(runs: readonly { id: string; version: number }[]): void {
    for (const { id, version } of runs) {
      const there = this.#querySide.versionOf(id) ?? 0;
      if (there < version)
        this.#violations.report(8, `${id} is sent in version ${version}, and the query side has ${there}`);
    }
  }

  /** A bulk action has asked these queues for their changes. */
  asked(queueKey: string, queues: ReadonlySet<string>): void {
    if (!queues.has(queueKey))
      this.#violations.report(8, `a bulk action does not know the queue ${queueKey}`);
  }

  /** Returns a run whose last version has not arrived; undefined if all have. */
  get missing(): string | undefined {
    for (const [runId, version] of this.#awaited) {
      if (this.#querySide.versionOf(runId) !== version) return runId;
      this.#awaited.delete(runId);
    }
    return this.#querySide.isQuiet ? undefined : "a row on its way";
  }

  /** `records`: the answers of the owners. */
  atEnd(table: "runs" | "waitpoints", records: Record<string, object | null>): void {
    const rows = new Map(this.#querySide.rows(table).map((row) => [row.id as string, row]));
    for (const [id, record] of Object.entries(records)) {
      const row = rows.get(id);
      if (!row) this.#violations.report(8, `the query side does not know ${id}`);
      else if (!record) this.#violations.report(8, `the query side knows ${id}, which its owner does not`);
      else
        for (const difference of differences(row, record)) this.#violations.report(8, `${id}: ${difference}`);
    }
    for (const id of rows.keys())
      if (!(id in records)) this.#violations.report(8, `the query side knows ${id}, which nobody created`);
  }
}

function* differences(row: Columns, record: object): Generator<string> {
  for (const [field, value] of Object.entries(record)) {
    const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!(column in row)) continue;
    const stored = JSON.stringify(row[column]);
    const expected = JSON.stringify(asStored(value));
    if (stored !== expected) yield `${field} is ${expected} at its owner and ${stored} on the query side`;
  }
}

function asStored(value: unknown): unknown {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}
