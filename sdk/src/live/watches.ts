import type {
  LiveEnvironment,
  LiveLogLine,
  LiveRun,
  LiveServerMessage,
  LiveTargetInput,
} from "../contract/live.ts";
import { LIVE_LIMITS } from "../contract/live-constants.ts";

/** What a subscription keeps: the state it has been given, and what it asks for after a reconnect. */
export interface Watch {
  /** What the server is asked for now: from where the last message left off. */
  target(): LiveTargetInput;
  /** Takes a message in. `resubscribe`: something was missed; the server is to be asked again. */
  receive(message: LiveServerMessage): { resubscribe: boolean };
}

export interface LiveRunState {
  run: LiveRun;
  /** The run is over. Its metadata and tags may still change. */
  final: boolean;
}

export class RunWatch implements Watch {
  readonly #runId: string;
  readonly #listener: (state: LiveRunState) => void;
  #run: LiveRun | null = null;

  constructor(runId: string, listener: (state: LiveRunState) => void) {
    this.#runId = runId;
    this.#listener = listener;
  }

  target(): LiveTargetInput {
    const position = this.#run?.position;
    return { kind: "run", runId: this.#runId, ...(position === undefined ? {} : { position }) };
  }

  receive(message: LiveServerMessage) {
    if (message.type !== "run" || (this.#run && message.run.position <= this.#run.position))
      return { resubscribe: false };
    // The payload comes once: it never changes.
    const payload = message.run.data?.payload ?? this.#run?.data?.payload;
    this.#run = { ...message.run, data: { ...message.run.data, ...(payload ? { payload } : {}) } };
    this.#listener({ run: this.#run, final: message.final });
    return { resubscribe: false };
  }
}

export interface LiveRunsState {
  /** Newest first, at most as many as the subscription's limit. */
  runs: LiveRun[];
  /** Older runs match as well. */
  more: boolean;
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
      const known = this.#runs;
      this.#runs = new Map(message.runs.map((run) => [run.id, newer(known.get(run.id), run)]));
      this.#more = message.more;
      this.#position = message.position;
      this.#emit();
    } else if (message.type === "changes") {
      for (const run of message.runs) this.#runs.set(run.id, newer(this.#runs.get(run.id), run));
      for (const id of message.removed) this.#runs.delete(id);
      this.#position = message.position;
      this.#emit();
    }
    return { resubscribe: false };
  }

  #emit(): void {
    const limit = this.#target.limit ?? LIVE_LIMITS.defaultSnapshotRuns;
    const runs = [...this.#runs.values()].sort(newestFirst);
    for (const { id } of runs.splice(limit)) {
      this.#runs.delete(id);
      this.#more = true;
    }
    this.#listener({ runs, more: this.#more });
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
    return { resubscribe: false };
  }
}

export class LogsWatch implements Watch {
  readonly #runId: string;
  readonly #listener: (lines: LiveLogLine[]) => void;
  /** The last line that was given to the listener. */
  #last: number;
  /** The next message answers the subscription: where it begins, older lines are no longer kept. */
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
    if (message.type !== "logs") return { resubscribe: false };
    if (message.previous > this.#last && !this.#starts) return { resubscribe: true };
    this.#starts = false;
    this.#last = Math.max(this.#last, message.previous);
    const lines = message.lines.filter(({ seq }) => seq > this.#last);
    this.#last = lines.at(-1)?.seq ?? this.#last;
    if (lines.length > 0) this.#listener(lines);
    return { resubscribe: false };
  }
}
