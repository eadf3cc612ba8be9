import type {
  LiveEnvironment,
  LiveLogLine,
  LiveRun,
  LiveServerMessage,
  LiveStreamRecord,
  LiveTargetInput,
} from "../contract/live.ts";
import { LIVE_LIMITS } from "../contract/live-constants.ts";

/**
 * The client's side of one subscription: the state it has received, and what it requests after a reconnect.
 */
export interface Watch {
  /** Returns the request for the server: from where the last message left off. */
  target(): LiveTargetInput;
  /** Applies a message. `handled` reports to the server what a stream's listener has handled. */
  receive(message: LiveServerMessage, handled: (seq: number) => void): Receipt;
}

/**
 * `resubscribe`: something was missed, so the client subscribes again. `over`: the server sends nothing more.
 */
export interface Receipt {
  resubscribe?: boolean;
  over?: boolean;
}

const NOTHING: Receipt = {};

export interface LiveRunState {
  run: LiveRun;
  /** The run is finished. Its metadata and tags may still change. */
  final: boolean;
}

export class RunWatch implements Watch {
  readonly #target: Extract<LiveTargetInput, { kind: "run" }>;
  readonly #listener: (state: LiveRunState) => void;
  #run: LiveRun | null = null;

  constructor(target: Extract<LiveTargetInput, { kind: "run" }>, listener: (state: LiveRunState) => void) {
    this.#target = target;
    this.#listener = listener;
  }

  target(): LiveTargetInput {
    const position = this.#run?.position;
    return { ...this.#target, ...(position === undefined ? {} : { position }) };
  }

  receive(message: LiveServerMessage): Receipt {
    if (message.type !== "run" || (this.#run && message.run.position <= this.#run.position)) return NOTHING;
    // The payload is sent once, because it never changes.
    const payload = message.run.data?.payload ?? this.#run?.data?.payload;
    this.#run = { ...message.run, data: { ...message.run.data, ...(payload ? { payload } : {}) } };
    this.#listener({ run: this.#run, final: message.final });
    return NOTHING;
  }
}

export interface LiveRunsState {
  /** Newest first, up to the subscription's limit. */
  runs: LiveRun[];
  /** True: older runs match as well. */
  more: boolean;
  /** What the last message reported, also about runs that are older than those in `runs`. */
  update: LiveRunsUpdate;
}

export interface LiveRunsUpdate {
  /**
   * `snapshot`: the newest runs as they are now; what happened to older ones since the last message is not known.
   * `changes`: everything that changed since the last message.
   */
  kind: "snapshot" | "changes";
  /** The runs that are new or changed, and match. */
  runs: LiveRun[];
  /** The state of runs that changed and do not match, if the subscription asked for them with `left`. */
  left: LiveRun[];
}

export type RunsTarget = Extract<LiveTargetInput, { kind: "runs" | "batch" }>;

export class RunsWatch implements Watch {
  readonly #target: RunsTarget;
  readonly #listener: (state: LiveRunsState) => void;
  #position: string | undefined;
  #runs = new Map<string, LiveRun>();
  #more = false;

  constructor(target: RunsTarget, listener: (state: LiveRunsState) => void) {
    this.#target = target;
    this.#listener = listener;
  }

  target(): LiveTargetInput {
    return this.#position === undefined ? this.#target : { ...this.#target, position: this.#position };
  }

  receive(message: LiveServerMessage) {
    if (message.type === "snapshot") {
      const runs = this.#merged(message.runs);
      this.#runs = new Map(runs.map((run) => [run.id, run]));
      this.#more = message.more;
      this.#position = message.position;
      this.#emit({ kind: "snapshot", runs, left: [] });
    } else if (message.type === "changes") {
      const { left = [] } = message;
      const runs = this.#merged(message.runs);
      for (const run of runs) this.#runs.set(run.id, run);
      for (const id of message.removed) this.#runs.delete(id);
      for (const { id } of left) this.#runs.delete(id);
      this.#position = message.position;
      this.#emit({ kind: "changes", runs, left });
    }
    return NOTHING;
  }

  #merged(runs: LiveRun[]): LiveRun[] {
    return runs.map((run) => newer(this.#runs.get(run.id), run));
  }

  #emit(update: LiveRunsUpdate): void {
    const limit = this.#target.limit ?? LIVE_LIMITS.defaultSnapshotRuns;
    const runs = [...this.#runs.values()].sort(newestFirst);
    for (const { id } of runs.splice(limit)) {
      this.#runs.delete(id);
      this.#more = true;
    }
    this.#listener({ runs, more: this.#more, update });
  }
}

/** Returns the later of two states of a run, and keeps data that only the earlier one has. */
const newer = (known: LiveRun | undefined, run: LiveRun): LiveRun => {
  if (!known) return run;
  if (known.position > run.position) return known;
  return known.data && !run.data ? { ...run, data: known.data } : run;
};

const newestFirst = (a: LiveRun, b: LiveRun): number =>
  a.createdAt > b.createdAt ? -1 : a.createdAt < b.createdAt ? 1 : a.id < b.id ? 1 : -1;

export class EnvironmentWatch implements Watch {
  readonly #listener: (environment: LiveEnvironment) => void;

  constructor(listener: (environment: LiveEnvironment) => void) {
    this.#listener = listener;
  }

  target(): LiveTargetInput {
    return { kind: "environment" };
  }

  receive(message: LiveServerMessage) {
    if (message.type === "environment") this.#listener(message.environment);
    return NOTHING;
  }
}

export class LogsWatch implements Watch {
  readonly #runId: string;
  readonly #listener: (lines: LiveLogLine[]) => void;
  /** Number of the last line that was passed to the listener. */
  #last: number;
  /** The next message answers the subscription: lines before its first one are no longer kept. */
  #starts = true;

  constructor(runId: string, after: number, listener: (lines: LiveLogLine[]) => void) {
    this.#runId = runId;
    this.#last = after;
    this.#listener = listener;
  }

  target(): LiveTargetInput {
    this.#starts = true;
    return { kind: "logs", runId: this.#runId, after: this.#last };
  }

  receive(message: LiveServerMessage) {
    if (message.type !== "logs") return NOTHING;
    if (message.previous > this.#last && !this.#starts) return { resubscribe: true };
    this.#starts = false;
    this.#last = Math.max(this.#last, message.previous);
    const lines = message.lines.filter(({ seq }) => seq > this.#last);
    this.#last = lines.at(-1)?.seq ?? this.#last;
    if (lines.length > 0) this.#listener(lines);
    return NOTHING;
  }
}

/** A chunk of a stream. `index` counts from 0 without gaps. */
export interface LiveChunk<T> {
  index: number;
  chunk: T;
  /** Milliseconds since the epoch. */
  time: number;
}

export interface StreamWatchOptions<T> {
  runId: string;
  key: string;
  after: number | undefined;
  from: "start" | "latest" | undefined;
  listener: (chunks: LiveChunk<T>[]) => void | Promise<void>;
  onEnd: (() => void) | undefined;
}

/** The client reports handled records after it has handled this many messages of the window. */
const HANDLED_EVERY = LIVE_LIMITS.streamWindow / 2;

export class StreamWatch<T> implements Watch {
  readonly #options: StreamWatchOptions<T>;
  /** The last record that was received. Undefined: the starting point is not known yet. */
  #last: number | undefined;
  /** Resolves when the listener has handled all that was received. */
  #handling: Promise<void> = Promise.resolve();
  #unreported = 0;

  constructor(options: StreamWatchOptions<T>) {
    this.#options = options;
    this.#last = options.after ?? (options.from === "latest" ? undefined : -1);
  }

  target(): LiveTargetInput {
    const { runId, key } = this.#options;
    this.#unreported = 0;
    return {
      kind: "stream",
      runId,
      key,
      ...(this.#last === undefined ? { from: "latest" } : { after: this.#last }),
    };
  }

  receive(message: LiveServerMessage, handled: (seq: number) => void): Receipt {
    if (message.type !== "stream") return NOTHING;
    const last = this.#last ?? message.previous;
    if (message.previous > last) return { resubscribe: true };
    const records = message.records.filter(({ seq }) => seq > last);
    this.#last = records.at(-1)?.seq ?? last;
    if (records.length > 0) this.#hand(records, handled);
    if (message.end) void this.#handling.then(() => this.#options.onEnd?.());
    return { over: message.end };
  }

  #hand(records: LiveStreamRecord[], handled: (seq: number) => void): void {
    const chunks = records.map(({ seq, time, chunk }) => ({ index: seq, chunk: chunk as T, time }));
    this.#handling = this.#handling
      .then(() => this.#options.listener(chunks))
      .catch((error: unknown) => console.error("A listener of a stream failed", error))
      .then(() => {
        this.#unreported += 1;
        if (this.#unreported < HANDLED_EVERY) return;
        this.#unreported = 0;
        handled(chunks.at(-1)?.index ?? -1);
      });
  }
}
