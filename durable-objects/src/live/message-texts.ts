import { isFinal } from "@acme/sdk/contract";
import type { LiveLogLine, LiveRun } from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import type { RunRecord, RunRow } from "../rpc.ts";
import type { ListGroup } from "./connection.ts";
import type { HubHost } from "./hub-host.ts";
import { dataOf, liveRun } from "./run-data.ts";
import { type RunReader, sizeOf } from "./run-reader.ts";
import { type SkipColumns, withoutColumns } from "./skip-columns.ts";

/** The maximum number of characters of run data in one snapshot; older runs are sent without data. */
export const SNAPSHOT_DATA = 4 * 1024 * 1024;

/** The text of changes, and the runs that it adds to a list and that no longer match. */
export interface ChangesText {
  text: string;
  runs: string[];
  removed: string[];
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

  run(run: RunRecord, payload: boolean, skip: SkipColumns): string {
    const live = withoutColumns(liveRun(this.#host.summaryOf, run, dataOf(run, payload)), skip);
    return `,"run":${JSON.stringify(live)},"final":${isFinal(run.status)}}`;
  }

  /**
   * Returns the changes for one subscription of the group, which may show any of these runs; null if none
   * concerns it.
   */
  async missed(group: ListGroup, rows: RunRow[], seq: number): Promise<string | null> {
    const matching = group.data ? rows.filter((row) => group.compiled.matches(row)) : [];
    const { found, failed } = await this.#reader.many(matching.map(({ id }) => id));
    if (failed.size > 0) throw new Error("Some runs could not be read");
    const { compiled, shown } = group;
    const changes = this.#changes(group, rows, seq, found, () => compiled.isMutable);
    for (const runId of changes?.runs ?? []) shown?.add(runId);
    return changes?.text ?? null;
  }

  /**
   * Returns the changes for all subscriptions of the group, with the records that were read; null if none
   * concerns the group.
   */
  changes(
    group: ListGroup,
    rows: RunRow[],
    seq: number,
    records: Map<string, RunRecord>,
  ): ChangesText | null {
    const { shown } = group;
    const changes = this.#changes(group, rows, seq, records, (row) => shown?.mayShow(row) ?? false);
    if (!changes) return null;
    for (const runId of changes.runs) shown?.add(runId);
    for (const runId of changes.removed) shown?.remove(runId);
    shown?.bound(this.#host.now());
    return changes;
  }

  #changes(
    { compiled, data, left: sendsLeft, skip }: ListGroup,
    rows: RunRow[],
    seq: number,
    records: Map<string, RunRecord>,
    mayShow: (row: RunRow) => boolean,
  ): ChangesText | null {
    const runs: LiveRun[] = [];
    const left: LiveRun[] = [];
    const removed: string[] = [];
    for (const row of rows) {
      if (compiled.matches(row)) runs.push(this.#listed(data, skip, row, records.get(row.id)));
      else if (sendsLeft && (mayShow(row) || (compiled.isMutable && compiled.mayHaveMatched(row))))
        left.push(this.#listed(false, skip, row, undefined));
      else if (mayShow(row)) removed.push(row.id);
    }
    if (runs.length === 0 && removed.length === 0 && left.length === 0) return null;
    const rest = sendsLeft ? `,"left":${JSON.stringify(left)}` : "";
    return {
      text: `,"position":"${this.#host.epoch}:${seq}","runs":${JSON.stringify(runs)},"removed":${JSON.stringify(removed)}${rest}}`,
      runs: runs.map(({ id }) => id),
      removed: [...removed, ...left.map(({ id }) => id)],
    };
  }

  async snapshot(group: ListGroup, rows: RunRow[], more: boolean, seq: number): Promise<string> {
    // Decided before the data is read: a run that stops matching meanwhile has to be removed.
    for (const { id } of rows) group.shown?.add(id);
    const { found, failed } = await this.#reader.many(group.data ? rows.map(({ id }) => id) : []);
    if (failed.size > 0) throw new Error("Some runs could not be read");
    let left = SNAPSHOT_DATA;
    const runs = rows.map((row) => {
      const record = found.get(row.id);
      left -= record ? sizeOf(record) : 0;
      return this.#listed(group.data, group.skip, row, left > 0 ? record : undefined);
    });
    return `,"position":"${this.#host.epoch}:${seq}","runs":${JSON.stringify(runs)},"more":${more}}`;
  }

  #listed(data: boolean, skip: SkipColumns, row: RunRow, record: RunRecord | undefined): LiveRun {
    const { summaryOf } = this.#host;
    const run = data && record ? liveRun(summaryOf, record, dataOf(record, true)) : liveRun(summaryOf, row);
    return withoutColumns(run, skip);
  }
}

/** The chunks are JSON texts already. */
export function streamText(previous: number, records: StreamRecord[], end: boolean): string {
  const items = records.map(({ seq, time, body }) => `{"seq":${seq},"time":${time},"chunk":${body}}`);
  return `,"previous":${previous},"records":[${items.join(",")}],"end":${end}}`;
}

export const logsText = (previous: number, lines: LiveLogLine[]): string =>
  `,"previous":${previous},"lines":${JSON.stringify(lines)}}`;
