import { isFinal } from "@acme/sdk/contract";
import type { LiveLogLine, LiveRun } from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import type { RunRecord, RunRow } from "../rpc.ts";
import type { ListGroup } from "./connection.ts";
import type { HubHost } from "./hub-host.ts";
import { dataOf, liveRun } from "./run-data.ts";
import { type RunReader, sizeOf } from "./run-reader.ts";

/** Characters of run data in one snapshot; older runs come without. */
export const SNAPSHOT_DATA = 4 * 1024 * 1024;

/** A run that changed; `previous`: its state before. Null: that state is unknown. */
export interface RunChange {
  row: RunRow;
  previous: RunRow | null;
}

/**
 * Writes messages about runs. A text is a message after its type and subscription, so that it is written once for all
 * subscriptions that get it.
 */
export class MessageTexts {
  readonly #host: HubHost;
  readonly #reader: RunReader;

  constructor(host: HubHost, reader: RunReader) {
    this.#host = host;
    this.#reader = reader;
  }

  run(run: RunRecord, payload: boolean): string {
    const live = liveRun(this.#host.summaryOf, run, dataOf(run, payload));
    return `,"run":${JSON.stringify(live)},"final":${isFinal(run.status)}}`;
  }

  /** Changes of runs whose previous states are unknown. Null: none of them concerns the group. */
  async changes(group: ListGroup, rows: RunRow[], seq: number): Promise<string | null> {
    const matching = group.data ? rows.filter((row) => group.compiled.matches(row)) : [];
    const { found, failed } = await this.#reader.many(matching.map(({ id }) => id));
    if (failed.size > 0) throw new Error("Some runs could not be read");
    const changes = rows.map((row) => ({ row, previous: null }));
    return this.changesWith(group, changes, seq, found);
  }

  /** Changes of runs with the records that were read of them. Null: none of them concerns the group. */
  changesWith(
    group: ListGroup,
    changes: RunChange[],
    seq: number,
    records: Map<string, RunRecord>,
  ): string | null {
    const { compiled } = group;
    const runs: LiveRun[] = [];
    const removed: string[] = [];
    for (const { row, previous } of changes) {
      if (compiled.matches(row)) runs.push(this.#listed(group, row, records.get(row.id)));
      else if (compiled.isMutable && (previous === null || compiled.matches(previous))) removed.push(row.id);
    }
    if (runs.length === 0 && removed.length === 0) return null;
    return `,"position":"${this.#host.epoch}:${seq}","runs":${JSON.stringify(runs)},"removed":${JSON.stringify(removed)}}`;
  }

  async snapshot(group: ListGroup, rows: RunRow[], more: boolean, seq: number): Promise<string> {
    const { found, failed } = await this.#reader.many(group.data ? rows.map(({ id }) => id) : []);
    if (failed.size > 0) throw new Error("Some runs could not be read");
    let left = SNAPSHOT_DATA;
    const runs = rows.map((row) => {
      const record = found.get(row.id);
      left -= record ? sizeOf(record) : 0;
      return this.#listed(group, row, left > 0 ? record : undefined);
    });
    return `,"position":"${this.#host.epoch}:${seq}","runs":${JSON.stringify(runs)},"more":${more}}`;
  }

  #listed(group: ListGroup, row: RunRow, record: RunRecord | undefined): LiveRun {
    if (!group.data || !record) return liveRun(this.#host.summaryOf, row);
    return liveRun(this.#host.summaryOf, record, dataOf(record, true));
  }
}

/** The chunks are JSON texts already. */
export function streamText(previous: number, records: StreamRecord[], end: boolean): string {
  const items = records.map(({ seq, time, body }) => `{"seq":${seq},"time":${time},"chunk":${body}}`);
  return `,"previous":${previous},"records":[${items.join(",")}],"end":${end}}`;
}

export const logsText = (previous: number, lines: LiveLogLine[]): string =>
  `,"previous":${previous},"lines":${JSON.stringify(lines)}}`;
