import ReconnectingWebSocket from "partysocket/ws";
import { environmentVariable } from "../client/configuration.ts";
import type {
  LiveClientMessageInput,
  LiveEnvironment,
  LiveFilter,
  LiveLogLine,
  LiveServerMessage,
} from "../contract/live.ts";
import {
  LIVE_CLOSE,
  LIVE_LIMITS,
  LIVE_SUBPROTOCOL,
  LIVE_TOKEN_SUBPROTOCOL,
  type LiveSkipColumn,
} from "../contract/live-constants.ts";
import { LiveError } from "./live-error.ts";
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
import { findWebSocket } from "./web-socket.ts";

export interface LiveClientOptions {
  /**
   * The server. Default: in a page with `environment`, the page's own origin; otherwise `ACME_API_URL` or
   * `TRIGGER_API_URL`.
   */
  baseURL?: string;
  /**
   * A secret key, a public token, or, with `environment`, a personal access token; or a function that returns
   * one, which is called for each connection and before a token expires. Default: `ACME_SECRET_KEY` or
   * `TRIGGER_SECRET_KEY`, unless `environment` is given.
   */
  accessToken?: string | (() => string | Promise<string>);
  /**
   * The environment to watch, `env_…` or `PROJECTREF/SLUG`. Needed with a personal access token, and in a
   * page with a session, which needs no token.
   */
  environment?: string;
  /** Default: the global WebSocket, or the one of the package `ws`. */
  WebSocket?: unknown;
}

/**
 * `waiting`: the connection was lost, and the client will reconnect. `refused`: the server refuses the key or
 * token.
 */
export type LiveStatus = "idle" | "connecting" | "open" | "waiting" | "refused";

export interface LiveSubscription {
  /** Ends the subscription: no listener is called after this. Safe to call twice. */
  unsubscribe(): void;
}

export interface LiveSubscribeOptions {
  /**
   * Called when the subscription ended because the run doesn't exist or may not be read, or the token is
   * invalid or has expired.
   */
  onError?: (error: LiveError) => void;
}

export interface LiveRunOptions extends LiveSubscribeOptions {
  /**
   * Fields of runs that the server does not send, by Trigger.dev's column names. A token can name such fields
   * too.
   */
  skipColumns?: LiveSkipColumn[];
}

export interface LiveStreamOptions extends LiveSubscribeOptions {
  /** Only chunks after this number. */
  after?: number;
  /** `latest`: begins at the last chunk that exists. Default: `start`. */
  from?: "start" | "latest";
  /** Called when the run is finished and all chunks were handled. */
  onEnd?: () => void;
}

interface Entry {
  id: string;
  watch: Watch;
  onError: ((error: LiveError) => void) | undefined;
}

const PING_MS = 25_000;
/** After this long without an answer, the client reconnects. */
const PONG_MS = 10_000;
/** A connection without subscriptions is kept this long. */
const LINGER_MS = 5_000;
/** A token is replaced this long before it expires. */
const REFRESH_MS = 30_000;
/** The number of consecutive refusals of tokens returned by a function after which the client gives up. */
const MAX_REFUSED = 3;

/**
 * Watches an environment over one WebSocket that all subscriptions share. The first subscription opens the
 * connection, and the client reconnects when it is lost: each subscription then resumes where it left off, or
 * gets its whole state if the server can't know what was missed. Listeners receive states instead of changes,
 * so a slow listener misses only intermediate states.
 */
export class LiveClient {
  readonly #options: LiveClientOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #statusListeners = new Set<(status: LiveStatus) => void>();
  #socket: ReconnectingWebSocket | null = null;
  /** Pending while the package `ws` is loaded. */
  #loading: unknown = null;
  #status: LiveStatus = "idle";
  #nextId = 1;
  #unacknowledged = 0;
  #unacknowledgedCharacters = 0;
  #refused = 0;
  #failure: LiveError | null = null;
  #pingTimer: ReturnType<typeof setInterval> | undefined;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LiveClientOptions = {}) {
    this.#options = options;
  }

  get status(): LiveStatus {
    return this.#status;
  }

  /**
   * Calls the listener at once with the status, and at each change. Returns a function that ends the
   * subscription.
   */
  onStatus(listener: (status: LiveStatus) => void): () => void {
    this.#statusListeners.add(listener);
    listener(this.#status);
    return () => this.#statusListeners.delete(listener);
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
   * payload, output, error and metadata.
   */
  runs(
    target: { filter?: LiveFilter; limit?: number; data?: boolean; skipColumns?: LiveSkipColumn[] },
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
    this.#disconnect("idle");
  }

  #subscribe(watch: Watch, { onError }: LiveSubscribeOptions): LiveSubscription {
    const entry: Entry = { id: String(this.#nextId++), watch, onError };
    this.#entries.set(entry.id, entry);
    clearTimeout(this.#lingerTimer);
    if (!this.#socket && !this.#loading) this.#connect();
    else if (this.#status === "open") this.#send({ type: "subscribe", id: entry.id, target: watch.target() });
    return {
      unsubscribe: () => {
        if (!this.#remove(entry)) return;
        if (this.#status === "open") this.#send({ type: "unsubscribe", id: entry.id });
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
      this.#lingerTimer = setTimeout(() => this.#disconnect("idle"), LINGER_MS);
    }
    return true;
  }

  /**
   * Subscribes with a new id, so that messages of the earlier subscription that are still in transit are
   * ignored.
   */
  #resubscribe(entry: Entry): void {
    this.#entries.delete(entry.id);
    this.#send({ type: "unsubscribe", id: entry.id });
    entry.id = String(this.#nextId++);
    this.#entries.set(entry.id, entry);
    this.#send({ type: "subscribe", id: entry.id, target: entry.watch.target() });
  }

  #connect(): void {
    this.#failure = null;
    this.#refused = 0;
    this.#setStatus("connecting");
    let url: string;
    try {
      url = this.#url();
    } catch (error) {
      // Deferred until the caller has its subscription.
      const failure = error instanceof LiveError ? error : new LiveError(400, "invalid_url", String(error));
      void Promise.resolve().then(() => this.#refuse(failure));
      return;
    }
    const found = this.#options.WebSocket ?? findWebSocket();
    this.#loading = found;
    if (!(found instanceof Promise)) {
      this.#open(url, found);
      return;
    }
    const unless = (step: (result: unknown) => void) => (result: unknown) => {
      if (this.#loading === found) step(result);
    };
    found.then(
      unless((loaded) => this.#open(url, loaded)),
      unless((failure) => this.#refuse(failure as LiveError)),
    );
  }

  #open(url: string, WebSocket: unknown): void {
    this.#loading = null;
    const socket = new ReconnectingWebSocket(url, () => this.#protocols(), {
      WebSocket,
      minReconnectionDelay: 200 + Math.random() * 300,
      maxReconnectionDelay: 10_000,
      reconnectionDelayGrowFactor: 1.6,
      connectionTimeout: 15_000,
      maxEnqueuedMessages: 0,
      shouldReconnectOnClose: (event) => this.#mayComeAgain(event.code),
    });
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#received(String(data));
    });
    socket.addEventListener("close", () => {
      if (socket === this.#socket) this.#closed();
    });
  }

  #url(): string {
    const { baseURL, environment } = this.#options;
    const page = (globalThis as { location?: { origin?: string } }).location?.origin;
    const base =
      baseURL ??
      (environment ? page : undefined) ??
      environmentVariable("ACME_API_URL") ??
      environmentVariable("TRIGGER_API_URL");
    if (!base || !URL.canParse(base)) {
      throw new LiveError(
        400,
        "missing_base_url",
        "Which server? Give `baseURL`, or set ACME_API_URL (or TRIGGER_API_URL).",
      );
    }
    const url = new URL(`${base.replace(/\/+$/, "")}/api/v1/live`);
    url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
    if (environment) url.searchParams.set("environment", environment);
    return url.toString();
  }

  async #token(): Promise<string | undefined> {
    const { accessToken, environment } = this.#options;
    if (typeof accessToken === "function") return accessToken();
    if (accessToken !== undefined) return accessToken;
    return environment
      ? undefined
      : (environmentVariable("ACME_SECRET_KEY") ?? environmentVariable("TRIGGER_SECRET_KEY"));
  }

  async #protocols(): Promise<string[]> {
    try {
      const token = await this.#token();
      return token ? [LIVE_SUBPROTOCOL, LIVE_TOKEN_SUBPROTOCOL + token] : [LIVE_SUBPROTOCOL];
    } catch (cause) {
      console.error("The access token for a live connection could not be fetched", cause);
      return [LIVE_SUBPROTOCOL];
    }
  }

  #mayComeAgain(code: number): boolean {
    switch (code) {
      case LIVE_CLOSE.unauthorized:
        // A function may return a valid token next time.
        return typeof this.#options.accessToken === "function" && this.#refused < MAX_REFUSED;
      case LIVE_CLOSE.protocol:
      case LIVE_CLOSE.forbidden:
      case LIVE_CLOSE.notFound:
        return false;
      default:
        return true;
    }
  }

  #received(text: string): void {
    if (text === "pong") {
      clearTimeout(this.#pongTimer);
      this.#pongTimer = undefined;
      return;
    }
    const message = JSON.parse(text) as LiveServerMessage;
    this.#acknowledge(text.length);
    switch (message.type) {
      case "welcome":
        this.#opened(message.expiresAt);
        break;
      case "authenticated":
        this.#refreshBefore(message.expiresAt);
        break;
      case "expired":
        void this.#refresh();
        break;
      case "error":
        this.#errorReceived(message);
        break;
      default:
        this.#dispatch(message);
    }
  }

  #acknowledge(characters: number): void {
    this.#unacknowledged += 1;
    this.#unacknowledgedCharacters += characters;
    const { acknowledgeMessages, acknowledgeCharacters } = LIVE_LIMITS;
    if (this.#unacknowledged < acknowledgeMessages && this.#unacknowledgedCharacters < acknowledgeCharacters)
      return;
    this.#send({ type: "ack", count: this.#unacknowledged });
    this.#unacknowledged = 0;
    this.#unacknowledgedCharacters = 0;
  }

  #dispatch(message: LiveServerMessage & { id?: string | undefined }): void {
    const entry = this.#entries.get(message.id ?? "");
    if (!entry) return;
    const { resubscribe, over } = entry.watch.receive(message, (seq) => {
      if (this.#status === "open" && this.#entries.has(entry.id))
        this.#send({ type: "handled", id: entry.id, seq });
    });
    if (over) this.#remove(entry);
    else if (resubscribe && this.#entries.has(entry.id)) this.#resubscribe(entry);
  }

  #errorReceived({ id, status, code, message }: Extract<LiveServerMessage, { type: "error" }>): void {
    const error = new LiveError(status, code, message);
    if (id === undefined) {
      // The server closes the connection next.
      this.#failure = error;
      return;
    }
    const entry = this.#entries.get(id);
    if (entry && this.#remove(entry)) entry.onError?.(error);
  }

  #opened(expiresAt: number | undefined): void {
    this.#refused = 0;
    this.#failure = null;
    this.#unacknowledged = 0;
    this.#unacknowledgedCharacters = 0;
    this.#setStatus("open");
    for (const { id, watch } of this.#entries.values())
      this.#send({ type: "subscribe", id, target: watch.target() });
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
    this.#refreshBefore(expiresAt);
  }

  #closed(): void {
    this.#stopTimers();
    const failure = this.#failure;
    if (failure?.status === 401) this.#refused += 1;
    const isFinal =
      failure !== null &&
      failure.status < 500 &&
      failure.status !== 429 &&
      !(
        failure.status === 401 &&
        typeof this.#options.accessToken === "function" &&
        this.#refused < MAX_REFUSED
      );
    if (isFinal) this.#refuse(failure);
    else this.#setStatus("waiting");
  }

  /** The key or token was refused: all subscriptions end. */
  #refuse(error: LiveError): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#disconnect("refused");
    for (const { onError } of entries) onError?.(error);
  }

  #disconnect(status: LiveStatus): void {
    this.#stopTimers();
    clearTimeout(this.#lingerTimer);
    const socket = this.#socket;
    this.#socket = null;
    this.#loading = null;
    socket?.close();
    this.#setStatus(status);
  }

  #ping(): void {
    this.#socket?.send("ping");
    this.#pongTimer ??= setTimeout(() => this.#socket?.reconnect(), PONG_MS);
  }

  #refreshBefore(expiresAt: number | undefined): void {
    clearTimeout(this.#refreshTimer);
    if (expiresAt === undefined || typeof this.#options.accessToken !== "function") return;
    // Timers are limited to 31 bits of milliseconds: a longer one is set in several steps.
    const ms = Math.min(Math.max(expiresAt - Date.now() - REFRESH_MS, 1_000), 2_000_000_000);
    this.#refreshTimer = setTimeout(() => void this.#refresh(), ms);
  }

  /** Replaces a token that is about to expire. Subscriptions are not affected. */
  async #refresh(): Promise<void> {
    const { accessToken } = this.#options;
    if (typeof accessToken !== "function") {
      this.#refuse(
        new LiveError(
          401,
          "token_expired",
          "The token has expired. Give a function as `accessToken` that returns a new one.",
        ),
      );
      return;
    }
    try {
      const token = await accessToken();
      if (this.#status === "open") this.#send({ type: "auth", token });
    } catch (cause) {
      console.error("The access token for a live connection could not be fetched", cause);
      this.#refreshTimer = setTimeout(() => void this.#refresh(), 5_000);
    }
  }

  #send(message: LiveClientMessageInput): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #stopTimers(): void {
    clearInterval(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    clearTimeout(this.#refreshTimer);
    this.#pongTimer = undefined;
  }

  #setStatus(status: LiveStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    for (const listener of this.#statusListeners) listener(status);
  }
}
