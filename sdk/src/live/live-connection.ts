import ReconnectingWebSocket from "partysocket/ws";
import { environmentVariable } from "../client/configuration.ts";
import type { LiveClientMessageInput, LiveServerMessage } from "../contract/live.ts";
import {
  LIVE_CLOSE,
  LIVE_LIMITS,
  LIVE_SUBPROTOCOL,
  LIVE_TOKEN_SUBPROTOCOL,
} from "../contract/live-constants.ts";
import { LiveError } from "./live-error.ts";
import type { LiveClientOptions, LiveStatus } from "./live-options.ts";
import { findWebSocket } from "./web-socket.ts";

const PING_MS = 25_000;
/** After this long without an answer, the client reconnects. */
const PONG_MS = 10_000;
/** A token is replaced this long before it expires. */
const REFRESH_MS = 30_000;
/** The number of consecutive refusals of tokens returned by a function after which the client gives up. */
const MAX_REFUSED = 3;

/** A message about subscriptions; the connection handles all others itself. */
export type SubscriptionMessage = LiveServerMessage & { id?: string | undefined };

/** The owner of a connection. */
export interface ConnectionOwner {
  /** Called when the connection is open: all subscriptions have to be sent. */
  opened(): void;
  received(message: SubscriptionMessage): void;
  /** Called before the connection ends because the server refuses the key or token. Calls the result after that. */
  refused(error: LiveError): () => void;
}

/**
 * The WebSocket of a live client, with its token, pings and acknowledgements. It is
 *
 * - **idle**: nobody needs it, and there is no socket;
 * - **connecting**: its first socket is being opened;
 * - **open**: the server has accepted the token, and messages can be sent;
 * - **waiting**: the socket was lost, and another one will be opened;
 * - **refused**: the server refuses the key or token, and there is no socket.
 *
 * `#setStatus` is the only place that changes the status.
 */
export class LiveConnection {
  readonly #options: LiveClientOptions;
  readonly #owner: ConnectionOwner;
  readonly #statusListeners = new Set<(status: LiveStatus) => void>();
  #socket: ReconnectingWebSocket | null = null;
  /** Pending while the package `ws` is loaded. */
  #loading: unknown = null;
  #status: LiveStatus = "idle";
  #unacknowledged = 0;
  #unacknowledgedCharacters = 0;
  #refused = 0;
  #failure: LiveError | null = null;
  #pingTimer: ReturnType<typeof setInterval> | undefined;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LiveClientOptions, owner: ConnectionOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  get status(): LiveStatus {
    return this.#status;
  }

  /** Returns whether there is a socket, or one is about to be opened. */
  get isStarted(): boolean {
    return this.#socket !== null || this.#loading !== null;
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

  connect(): void {
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

  /** Sends a message; to be called only while the connection is open. */
  send(message: LiveClientMessageInput): void {
    this.#socket?.send(JSON.stringify(message));
  }

  /** Ends the connection. */
  close(status: LiveStatus = "idle"): void {
    this.#stopTimers();
    const socket = this.#socket;
    this.#socket = null;
    this.#loading = null;
    socket?.close();
    this.#setStatus(status);
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
        if (message.id === undefined) {
          // The server closes the connection next.
          this.#failure = new LiveError(message.status, message.code, message.message);
        } else this.#owner.received(message);
        break;
      default:
        this.#owner.received(message);
    }
  }

  #acknowledge(characters: number): void {
    this.#unacknowledged += 1;
    this.#unacknowledgedCharacters += characters;
    const { acknowledgeMessages, acknowledgeCharacters } = LIVE_LIMITS;
    if (this.#unacknowledged < acknowledgeMessages && this.#unacknowledgedCharacters < acknowledgeCharacters)
      return;
    this.send({ type: "ack", count: this.#unacknowledged });
    this.#unacknowledged = 0;
    this.#unacknowledgedCharacters = 0;
  }

  #opened(expiresAt: number | undefined): void {
    this.#refused = 0;
    this.#failure = null;
    this.#unacknowledged = 0;
    this.#unacknowledgedCharacters = 0;
    this.#setStatus("open");
    this.#owner.opened();
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

  #refuse(error: LiveError): void {
    const notify = this.#owner.refused(error);
    this.close("refused");
    notify();
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
      if (this.#status === "open") this.send({ type: "auth", token });
    } catch (cause) {
      console.error("The access token for a live connection could not be fetched", cause);
      this.#refreshTimer = setTimeout(() => void this.#refresh(), 5_000);
    }
  }

  #setStatus(status: LiveStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    for (const listener of this.#statusListeners) listener(status);
  }

  #stopTimers(): void {
    clearInterval(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    clearTimeout(this.#refreshTimer);
    this.#pongTimer = undefined;
  }
}
