import type { LiveEnvironment, LiveFilter, LiveLogLine } from "../contract/live.ts";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import { LiveConnection, type SubscriptionMessage } from "./live-connection.ts";
import { LiveError } from "./live-error.ts";
import type {
  LiveClientOptions,
  LiveRunOptions,
  LiveStatus,
  LiveStreamOptions,
  LiveSubscribeOptions,
  LiveSubscription,
} from "./live-options.ts";
import {
  EnvironmentWatch,
  type LiveChunk,
  type LiveRunState,
  type LiveRunsState,
  LogsWatch,
  RunsWatch,
  RunWatch,
  StreamWatch,
  type Watch,
} from "./watches.ts";

/** A connection without subscriptions is kept this long. */
const LINGER_MS = 5_000;

interface Entry {
  id: string;
  watch: Watch;
  onError: ((error: LiveError) => void) | undefined;
}

/**
 * Watches an environment over one WebSocket that all subscriptions share. The first subscription opens the
 * connection, and the client reconnects when it is lost: each subscription then resumes where it left off, or
 * gets its whole state if the server can't know what was missed. Listeners receive states instead of changes,
 * so a slow listener misses only intermediate states.
 */
export class LiveClient {
  readonly #connection: LiveConnection;
  readonly #entries = new Map<string, Entry>();
  #nextId = 1;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LiveClientOptions = {}) {
    this.#connection = new LiveConnection(options, {
      opened: () => this.#opened(),
      received: (message) => this.#received(message),
      refused: (error) => this.#refused(error),
    });
  }

  get status(): LiveStatus {
    return this.#connection.status;
  }

  /**
   * Calls the listener at once with the status, and at each change. Returns a function that ends the
   * subscription.
   */
  onStatus(listener: (status: LiveStatus) => void): () => void {
    return this.#connection.onStatus(listener);
  }

  /** Watches one run, with its payload, output, error and metadata. */
  run(
    runId: string,
    listener: (state: LiveRunState) => void,
    options: LiveRunOptions = {},
  ): LiveSubscription {
    const { skipColumns } = options;
    return this.#subscribe(new RunWatch({ kind: "run", runId, skipColumns }, listener), options);
  }

  /**
   * Watches the newest runs that a filter matches. `limit`: 1 to 1000, 100 by default. `data`: includes
   * payload, output, error and metadata. `left`: also reports the state of runs that no longer match.
   */
  runs(
    target: {
      filter?: LiveFilter;
      limit?: number;
      data?: boolean;
      left?: boolean;
      skipColumns?: LiveSkipColumn[];
    },
    listener: (state: LiveRunsState) => void,
    options: LiveSubscribeOptions = {},
  ): LiveSubscription {
    return this.#subscribe(new RunsWatch({ kind: "runs", ...target }, listener), options);
  }

  /** Watches the runs of a batch. */
  batch(
    batchId: string,
    listener: (state: LiveRunsState) => void,
    options: LiveRunOptions & { limit?: number; data?: boolean } = {},
  ): LiveSubscription {
    const { limit, data, skipColumns } = options;
    const target = { kind: "batch", batchId, limit, data, skipColumns } as const;
    return this.#subscribe(new RunsWatch(target, listener), options);
  }

  /** Watches the environment's counts, which arrive at most once a second. */
  environment(
    listener: (environment: LiveEnvironment) => void,
    options: LiveSubscribeOptions = {},
  ): LiveSubscription {
    return this.#subscribe(new EnvironmentWatch(listener), options);
  }

  /**
   * Reads the log lines of a run, in order and each once, beginning with the existing ones. `after`: only
   * lines after that number.
   */
  logs(
    runId: string,
    listener: (lines: LiveLogLine[]) => void,
    options: LiveSubscribeOptions & { after?: number } = {},
  ): LiveSubscription {
    return this.#subscribe(new LogsWatch(runId, options.after ?? 0, listener), options);
  }

  /**
   * Reads the chunks of a run's stream, in order and each once. A listener that returns a promise gets the
   * next chunks after the promise has resolved; meanwhile the server holds back what exceeds the window.
   */
  stream<T = unknown>(
    runId: string,
    key: string,
    listener: (chunks: LiveChunk<T>[]) => void | Promise<void>,
    options: LiveStreamOptions = {},
  ): LiveSubscription {
    const { after, from, onEnd } = options;
    return this.#subscribe(new StreamWatch<T>({ runId, key, after, from, listener, onEnd }), options);
  }

  /** Ends all subscriptions and the connection. */
  close(): void {
    this.#entries.clear();
    clearTimeout(this.#lingerTimer);
    this.#connection.close();
  }

  #subscribe(watch: Watch, { onError }: LiveSubscribeOptions): LiveSubscription {
    const entry: Entry = { id: String(this.#nextId++), watch, onError };
    this.#entries.set(entry.id, entry);
    clearTimeout(this.#lingerTimer);
    if (!this.#connection.isStarted) this.#connection.connect();
    else if (this.#connection.status === "open")
      this.#connection.send({ type: "subscribe", id: entry.id, target: watch.target() });
    return {
      unsubscribe: () => {
        if (!this.#remove(entry)) return;
        if (this.#connection.status === "open") this.#connection.send({ type: "unsubscribe", id: entry.id });
      },
    };
  }

  /**
   * Returns false if the subscription was removed before. A connection without subscriptions is closed after
   * a while.
   */
  #remove(entry: Entry): boolean {
    if (!this.#entries.delete(entry.id)) return false;
    if (this.#entries.size === 0) {
      clearTimeout(this.#lingerTimer);
      this.#lingerTimer = setTimeout(() => this.#connection.close(), LINGER_MS);
    }
    return true;
  }

  /**
   * Subscribes with a new id, so that messages of the earlier subscription that are still in transit are
   * ignored.
   */
  #resubscribe(entry: Entry): void {
    this.#entries.delete(entry.id);
    this.#connection.send({ type: "unsubscribe", id: entry.id });
    entry.id = String(this.#nextId++);
    this.#entries.set(entry.id, entry);
    this.#connection.send({ type: "subscribe", id: entry.id, target: entry.watch.target() });
  }

  #opened(): void {
    for (const { id, watch } of this.#entries.values())
      this.#connection.send({ type: "subscribe", id, target: watch.target() });
  }

  #received(message: SubscriptionMessage): void {
    const entry = this.#entries.get(message.id ?? "");
    if (!entry) return;
    if (message.type === "error") {
      const { status, code } = message;
      if (this.#remove(entry)) entry.onError?.(new LiveError(status, code, message.message));
      return;
    }
    const { resubscribe, over } = entry.watch.receive(message, (seq) => {
      if (this.#connection.status === "open" && this.#entries.has(entry.id))
        this.#connection.send({ type: "handled", id: entry.id, seq });
    });
    if (over) this.#remove(entry);
    else if (resubscribe && this.#entries.has(entry.id)) this.#resubscribe(entry);
  }

  /** The key or token was refused: all subscriptions end. */
  #refused(error: LiveError): () => void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    clearTimeout(this.#lingerTimer);
    return () => {
      for (const { onError } of entries) onError?.(error);
    };
  }
}
