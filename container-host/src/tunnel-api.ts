import {
  type DequeueRequest,
  DequeueResponse,
  HostDeployment,
  ReportResponse,
  TUNNEL_CLOSE,
  TUNNEL_PATH,
  TUNNEL_SUBPROTOCOL,
  TunnelAnswer,
  type TunnelFailure,
  type TunnelQuery,
  type TunnelRequest,
} from "@acme/sdk/contract";
import { LIVE_TOKEN_SUBPROTOCOL } from "@acme/sdk/contract/live";
import { WebSocket as ReconnectingWebSocket } from "partysocket";
import type { z } from "zod";
import { ApiError, type HostApi } from "./api.ts";
import { orLate } from "./or-late.ts";

const PING_MS = 20_000;
/** After this long without an answer to a ping, the connection is closed and another one is opened. */
const PONG_MS = 10_000;
const CALL_MS = 30_000;
/** How long a call waits for a connection that is being opened. */
const OPEN_MS = 1_000;

/** Close codes after which another connection would be refused too. */
const FINAL: number[] = [
  TUNNEL_CLOSE.unauthorized,
  TUNNEL_CLOSE.forbidden,
  TUNNEL_CLOSE.busy,
  TUNNEL_CLOSE.takenOver,
  TUNNEL_CLOSE.replaced,
  TUNNEL_CLOSE.protocol,
];

export interface TunnelOptions {
  /** Base URL of the Worker. */
  apiUrl: string;
  /** Called before each connection. Undefined: no token is available now, and the connection is retried. */
  token(): Promise<string | undefined>;
  query: TunnelQuery;
  /** Returns a version's bundle; undefined if it was not built on this machine. */
  bundle(deploymentId: string): Buffer | undefined;
  /** Called when the connection was opened, was lost, or could not be opened. It reconnects automatically. */
  onConnection(isOpen: boolean): void;
  /** Called when the server refuses this machine, which ends the tunnel. */
  onRefused(failure: TunnelFailure): void;
}

interface Call {
  resolve(body: unknown): void;
  reject(error: Error): void;
}

/** The host protocol over the WebSocket of `acme dev`: see the contract's `tunnel-protocol.ts`. */
export class TunnelApi implements HostApi {
  readonly #options: TunnelOptions;
  readonly #socket: ReconnectingWebSocket;
  readonly #calls = new Map<number, Call>();
  #lastId = 0;
  #open = Promise.withResolvers<void>();
  #isOpen = false;
  /** Why the tunnel is about to end, or has ended. */
  #failure: TunnelFailure | null = null;
  #isOver = false;
  #hasToken = false;
  #pingTimer: NodeJS.Timeout | undefined;
  #pongTimer: NodeJS.Timeout | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    const url = new URL(`${options.apiUrl}${TUNNEL_PATH}`);
    url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
    for (const [name, value] of Object.entries(options.query)) url.searchParams.set(name, value);
    this.#open.promise.catch(() => {});
    this.#socket = new ReconnectingWebSocket(url.toString(), () => this.#protocols(), {
      minReconnectionDelay: 100 + Math.random() * 200,
      maxReconnectionDelay: 5_000,
      reconnectionDelayGrowFactor: 1.6,
      connectionTimeout: 15_000,
      maxEnqueuedMessages: 0,
      shouldReconnectOnClose: (event) => !this.#isOver && !this.#isFinal(event.code),
    });
    this.#socket.addEventListener("open", () => this.#opened());
    this.#socket.addEventListener("message", ({ data }) => this.#received(String(data)));
    this.#socket.addEventListener("close", ({ code }) => this.#closed(code));
  }

  /** A tunnel needs no registration: its key is its credential. */
  async register(): Promise<void> {}

  async dequeue(request: DequeueRequest, signal?: AbortSignal): Promise<DequeueResponse> {
    return this.#call("dequeue", request, DequeueResponse, undefined, signal);
  }

  async report(body: string, signal?: AbortSignal): Promise<ReportResponse> {
    return this.#call("report", JSON.parse(body), ReportResponse, CALL_MS, signal);
  }

  async deployment(id: string): Promise<HostDeployment> {
    return this.#call("deployment", { deploymentId: id }, HostDeployment, CALL_MS);
  }

  async bundle(deploymentId: string): Promise<Buffer> {
    const bundle = this.#options.bundle(deploymentId);
    if (bundle) return bundle;
    throw new ApiError(
      404,
      "It was built by an earlier `acme dev`, and its bundle is not on this machine any more. Trigger the run again: it then executes the current version.",
      "bundle_not_found",
    );
  }

  close(): void {
    this.#isOver = true;
    this.#stopTimers();
    this.#socket.close(1000, "goodbye");
    this.#rejectAll(new Error("The tunnel was closed"));
  }

  async #call<T extends z.ZodType>(
    call: "dequeue" | "report" | "deployment",
    body: unknown,
    schema: T,
    timeoutMs: number | undefined,
    signal?: AbortSignal,
  ): Promise<z.output<T>> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => this.#calls.set(id, { resolve, reject }));
    // It can be rejected before anybody waits for it, if the tunnel ends while the connection is being
    // opened.
    answer.catch(() => {});
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => this.#calls.get(id)?.reject(new Error("The server did not answer")), timeoutMs);
    try {
      if (!this.#isOpen) {
        const opening = orAborted(Promise.race([this.#open.promise, answer]), signal);
        // The reporter retries by itself, and can't wait for long at its end.
        if (timeoutMs === undefined) await opening;
        else if ((await orLate(opening, OPEN_MS)) === "late")
          throw new Error("There is no connection to the server");
      }
      // The server checks the schemas of the calls.
      this.#socket.send(JSON.stringify({ id, call, body } as TunnelRequest));
      const parsed = schema.safeParse(await orAborted(answer, signal));
      if (!parsed.success)
        throw new Error(`The server's answer does not fit the host protocol: ${parsed.error.message}`);
      if (call === "dequeue")
        this.#socket.send(JSON.stringify({ id, call: "received" } satisfies TunnelRequest));
      return parsed.data;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(id);
    }
  }

  async #protocols(): Promise<string[]> {
    const token = await this.#options.token().catch(() => undefined);
    this.#hasToken = token !== undefined;
    return token === undefined ? [TUNNEL_SUBPROTOCOL] : [TUNNEL_SUBPROTOCOL, LIVE_TOKEN_SUBPROTOCOL + token];
  }

  /** Returns whether another connection would be refused too. */
  #isFinal(code: number): boolean {
    return this.#hasToken && FINAL.includes(code);
  }

  /** Ends the tunnel, because the server refuses this machine. */
  refuse(failure: TunnelFailure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const error = errorOf(failure);
    this.#rejectAll(error);
    this.#open.reject(error);
    this.#options.onRefused(failure);
    this.#socket.close(1000, "refused");
  }

  #opened(): void {
    // Without a token, the server reports that and closes the connection.
    if (!this.#hasToken) return;
    this.#isOpen = true;
    this.#open.resolve();
    this.#options.onConnection(true);
    this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
  }

  #ping(): void {
    this.#socket.send("ping");
    this.#pongTimer ??= setTimeout(() => {
      this.#pongTimer = undefined;
      this.#socket.reconnect();
    }, PONG_MS);
  }

  #received(text: string): void {
    if (text === "pong") {
      clearTimeout(this.#pongTimer);
      this.#pongTimer = undefined;
      return;
    }
    const { data: answer } = TunnelAnswer.safeParse(JSON.parse(text));
    if (!answer) return;
    if ("error" in answer && answer.id === 0) {
      this.#failure = answer;
      return;
    }
    const call = this.#calls.get(answer.id);
    if ("error" in answer) call?.reject(errorOf(answer));
    else call?.resolve(answer.body);
  }

  #closed(code: number): void {
    this.#stopTimers();
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    if (this.#isOver) return;
    const failure = this.#failure;
    this.#failure = null;
    if (wasOpen) {
      this.#open = Promise.withResolvers();
      this.#open.promise.catch(() => {});
    }
    if (this.#isFinal(code)) {
      const message = `The server closed the tunnel with code ${code}.`;
      this.refuse(failure ?? { id: 0, status: 403, code: "refused", error: message });
      return;
    }
    if (wasOpen) this.#rejectAll(new Error("The connection to the server was lost"));
    this.#options.onConnection(false);
  }

  #rejectAll(error: Error): void {
    for (const call of this.#calls.values()) call.reject(error);
  }

  #stopTimers(): void {
    clearInterval(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    this.#pongTimer = undefined;
  }
}

const errorOf = ({ status, error, code }: TunnelFailure): ApiError => new ApiError(status, error, code);

/** Rejects when the signal is aborted. A later result of `work` is ignored. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(new Error("Aborted"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
