import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { RunLogs } from "@acme/sdk/contract";
import type { HostLog } from "../log.ts";
import { type Drop, DropLog } from "./drop-log.ts";
import { type LinePlace, Segment } from "./segment.ts";

const SEGMENT_BYTES = 4 * 1024 * 1024;
const SUFFIX = ".jsonl";
/** The notice of a drop, and what a line has beside its records, with the tokens. */
const NOTICE_BYTES = 4 * 1_024;

/** The number of records of each kind. */
export interface Counts {
  logs: number;
  spans: number;
  metrics: number;
}

/** A line of the buffer: a RunLogs in JSON. */
export interface Waiting extends Counts {
  runId: string;
  place: LinePlace;
  segment: Segment;
}

/** The owner of the records. `apiToken`: the latest one of the lease. */
export interface TelemetrySource {
  runId: string;
  attempt: number;
  apiToken: string | undefined;
}

type Records = Pick<RunLogs, "entries" | "spans" | "metrics">;

interface RunQueue {
  waiting: Waiting[];
  bytes: number;
  /** The `performance.now()` before which it is not sent again. */
  notBefore: number;
}

/**
 * Telemetry that the server has not stored yet. It is on disk from the moment it is received, in the order of
 * each run, and bounded. What does not fit is dropped and counted, and the run's log says so as soon as there
 * is room again.
 */
export class DiskBuffer {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #log: HostLog;
  readonly #onDropped: (counts: Counts) => void;
  readonly #sender = randomUUID();
  readonly #segments = new Set<Segment>();
  readonly #dropped: DropLog;
  /** By environment, then run; the first one has the turn. */
  readonly #environments = new Map<string, Map<string, RunQueue>>();
  #current: Segment | undefined;
  #bytes = 0;
  #number = 0;
  #files = 0;
  #hasFailed = false;

  constructor(options: {
    folder: string;
    maxBytes: number;
    log: HostLog;
    onDropped: (counts: Counts) => void;
  }) {
    this.#folder = options.folder;
    this.#maxBytes = options.maxBytes;
    this.#log = options.log;
    this.#onDropped = options.onDropped;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#dropped = new DropLog(this.#folder);
    this.#load();
    this.#sayAllDropped();
  }

  /** The number of waiting bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#environments.size === 0;
  }

  /** Adds redacted telemetry. Returns when it is on disk, or was dropped. */
  add(source: TelemetrySource, records: Records): void {
    const counts = countsOf(records);
    const drop = this.#dropped.get(source);
    if (!drop && this.#append(source, records, counts)) return;
    // Lines after a gap are stored only after the line that reports the gap.
    if (
      drop &&
      this.#hasRoom(source, records) &&
      this.#sayDropped({ ...drop, source }) &&
      this.#append(source, records, counts)
    )
      return;
    this.#onDropped(counts);
    this.#dropped.add(source, counts);
  }

  /**
   * Returns about `maxBytes` of lines to send together, from each environment in turn, and from each of its
   * runs in turn.
   */
  take(maxBytes: number, now: number): Waiting[] {
    const taken: Waiting[] = [];
    let bytes = 0;
    let isMore = true;
    const positions = new Map<RunQueue, number>();
    while (isMore && bytes < maxBytes) {
      isMore = false;
      for (const [environment, runs] of [...this.#environments]) {
        const line = this.#nextOf(runs, positions, now);
        if (!line) continue;
        isMore = true;
        taken.push(line);
        bytes += line.place.length;
        // The next time, the others have the first turn.
        this.#environments.delete(environment);
        this.#environments.set(environment, runs);
        if (bytes >= maxBytes) break;
      }
    }
    return taken;
  }

  #nextOf(runs: Map<string, RunQueue>, positions: Map<RunQueue, number>, now: number): Waiting | undefined {
    for (const [runId, queue] of [...runs]) {
      const at = positions.get(queue) ?? 0;
      const line = queue.notBefore > now ? undefined : queue.waiting[at];
      if (!line) continue;
      positions.set(queue, at + 1);
      runs.delete(runId);
      runs.set(runId, queue);
      return line;
    }
    return undefined;
  }

  read({ segment, place }: Waiting): string {
    return segment.read(place);
  }

  /**
   * Removes the first lines of these runs, which are stored or never will be, in the order in which they were
   * taken.
   */
  done(lines: Waiting[]): void {
    for (const line of lines) {
      const environment = environmentOf(line.runId);
      const runs = this.#environments.get(environment);
      const queue = runs?.get(line.runId);
      if (!runs || queue?.waiting[0] !== line) continue;
      queue.waiting.shift();
      queue.bytes -= line.place.length;
      this.#bytes -= line.place.length;
      if (queue.waiting.length === 0) runs.delete(line.runId);
      if (runs.size === 0) this.#environments.delete(environment);
      line.segment.sent();
      if (line.segment.isEmpty) this.#delete(line.segment);
    }
    this.#sayAllDropped();
  }

  /** Delays this run's lines until then. */
  delay(runId: string, notBefore: number): void {
    const queue = this.#environments.get(environmentOf(runId))?.get(runId);
    if (queue) queue.notBefore = notBefore;
  }

  /** Returns when the first waiting line may be sent. */
  get dueAt(): number {
    let due = Number.POSITIVE_INFINITY;
    for (const runs of this.#environments.values())
      for (const { notBefore } of runs.values()) due = Math.min(due, notBefore);
    return due;
  }

  /** Unsent telemetry stays on disk. */
  close(): void {
    for (const segment of this.#segments) {
      if (segment.isEmpty) segment.delete();
      else segment.close();
    }
    this.#segments.clear();
    this.#dropped.close();
  }

  /** Also for the line before them, which says what was dropped: said alone, it would be said again at once. */
  #hasRoom({ runId }: TelemetrySource, records: Records): boolean {
    const bytes = Buffer.byteLength(JSON.stringify(records)) + NOTICE_BYTES;
    const ofRun = this.#queueOf(runId)?.bytes ?? 0;
    return this.#bytes + bytes <= this.#maxBytes && ofRun + bytes <= this.#maxBytes / 4;
  }

  #append(source: TelemetrySource, records: Records, counts: Counts): boolean {
    const { runId, attempt, apiToken } = source;
    const batch = { sender: `${this.#sender} ${attempt}`, number: this.#number + 1 };
    const line = JSON.stringify({ runId, attempt, apiToken, ...records, batch } satisfies RunLogs);
    const queue = this.#queueOf(runId);
    // A character takes up to three bytes, and the size on disk counts.
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > this.#maxBytes || (queue?.bytes ?? 0) + bytes > this.#maxBytes / 4)
      return false;
    try {
      this.#number += 1;
      if (!this.#current || this.#current.size >= SEGMENT_BYTES) this.#open();
      const segment = this.#current as Segment;
      this.#enqueue({ runId, segment, place: segment.append(line), ...counts });
      this.#hasFailed = false;
      return true;
    } catch (error) {
      if (!this.#hasFailed)
        this.#log.error(`Telemetry can't be written to ${this.#folder}: ${String(error)}`);
      this.#hasFailed = true;
      this.#current = undefined;
      return false;
    }
  }

  #open(): void {
    const name = `${String(Date.now()).padStart(15, "0")}-${String(this.#files++).padStart(8, "0")}`;
    this.#current = Segment.create(join(this.#folder, `${name}-${this.#sender.slice(0, 8)}${SUFFIX}`));
    this.#segments.add(this.#current);
  }

  #queueOf(runId: string): RunQueue | undefined {
    return this.#environments.get(environmentOf(runId))?.get(runId);
  }

  #enqueue(line: Waiting): void {
    const environment = environmentOf(line.runId);
    let runs = this.#environments.get(environment);
    if (!runs) {
      runs = new Map();
      this.#environments.set(environment, runs);
    }
    let queue = runs.get(line.runId);
    if (!queue) {
      queue = { waiting: [], bytes: 0, notBefore: 0 };
      runs.set(line.runId, queue);
    }
    queue.waiting.push(line);
    queue.bytes += line.place.length;
    this.#bytes += line.place.length;
  }

  #delete(segment: Segment): void {
    if (segment === this.#current) this.#current = undefined;
    this.#segments.delete(segment);
    segment.delete();
  }

  #sayAllDropped(): void {
    for (const drop of this.#dropped.all()) this.#sayDropped(drop);
  }

  /** Adds a line to the run's log that says what was dropped. Returns false if there is no room for it. */
  #sayDropped(drop: Drop): boolean {
    const { source, logs, spans, metrics } = drop;
    const message = `${logs} log entries, ${spans} spans and ${metrics} metric points of this run were dropped here: the container host's buffer was full, because the server took no telemetry or the run wrote faster than it could be sent`;
    const entries = [{ time: Date.now(), level: "warn" as const, message }];
    if (!this.#append(source, { entries }, { logs: 1, spans: 0, metrics: 0 })) return false;
    this.#dropped.settle(drop);
    return true;
  }

  #load(): void {
    const files = readdirSync(this.#folder)
      .filter((name) => name.endsWith(SUFFIX))
      .sort();
    for (const name of files) {
      const { segment, lines } = Segment.load(join(this.#folder, name));
      this.#segments.add(segment);
      for (const { text, place } of lines) {
        const record = parsed(text);
        if (record) this.#enqueue({ runId: record.runId, segment, place, ...countsOf(record) });
        else segment.sent();
      }
      if (segment.isEmpty) this.#delete(segment);
    }
    if (this.#bytes > 0)
      this.#log.info(`${this.#bytes} bytes of telemetry of an earlier process of this host wait to be sent`);
  }
}

/** Returns the environment's key, with which a run's id begins. */
const environmentOf = (runId: string): string => runId.slice(4, 12);

const countsOf = ({ entries, spans, metrics }: Records): Counts => ({
  logs: entries.length,
  spans: spans?.length ?? 0,
  metrics: metrics?.length ?? 0,
});

/** Returns null for a line that was truncated when the machine stopped. */
function parsed(text: string): RunLogs | null {
  try {
    const record = JSON.parse(text) as Partial<RunLogs>;
    return typeof record.runId === "string" && Array.isArray(record.entries) ? (record as RunLogs) : null;
  } catch {
    return null;
  }
}
