import { type AboutHost, type DequeueResponse, HOST_PROTOCOL } from "@acme/sdk/contract";
import { ApiError, type HostApi } from "./api.ts";
import { backoffMs, sleep } from "./backoff.ts";
import { HostError, messageOf } from "./errors.ts";
import type { HostLog } from "./log.ts";
import { nextPoll } from "./poll-plan.ts";
import type { Session } from "./session.ts";

/** Codes of the server's errors. */
const NOT_REGISTERED = "host_not_registered";
const REVOKED = "host_revoked";

const revoked = ({ message }: ApiError): string =>
  `The server has revoked this host (${message}). To register as a new host, start with an empty data folder.`;

/** Milliseconds between polls for little room. */
const GATHER_MS = 3;

export interface PollerOptions {
  api: HostApi;
  session: Session;
  log: HostLog;
  pollMs: number;
  /** Returns the number of runs that the host could take now. */
  room(): number;
  /** Returns the number of runs that the host has. */
  held(): number;
  /** Returns what the dashboard shows about the host. */
  about(): AboutHost;
  /** Registers the host's credential with the server. Rejects with ApiError. */
  register(): Promise<void>;
  /** Called when the server refuses this host permanently. */
  onRevoked(message: string): void;
  /** `sessionId`: the session that asked. */
  onAnswer(answer: DequeueResponse, sessionId: string): void;
  /** Milliseconds from the request to the answer, and the number of runs received; null: it failed. */
  onPoll(ms: number, runs: number | null): void;
}

/**
 * Keeps a poll waiting at the server at all times, even when the host is full, because notices arrive that
 * way.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #waiting = new Map<symbol, number>();
  readonly #stopped = new AbortController();
  #failures = 0;
  #resting = false;
  #scheduled = false;
  #lastPoll = 0;
  #later: NodeJS.Timeout | undefined;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /**
   * Announces the host's session, so that the server ends the host's earlier ones. Registers the host if the
   * server does not know it, and retries until the server answers.
   * @throws HostError if the server refuses the host's token, credential or request, in which case a retry
   * can't succeed
   */
  async connect(): Promise<void> {
    const { log, session } = this.#options;
    for (let failures = 1; !this.#stopped.signal.aborted; failures++) {
      try {
        const sessionId = session.sessionId;
        const answer = await this.#ask(0, 0, sessionId);
        this.#options.onAnswer(answer, sessionId);
        return;
      } catch (error) {
        if (error instanceof ApiError && error.code === NOT_REGISTERED && (await this.#register())) continue;
        if (error instanceof ApiError && error.code === REVOKED) throw new HostError(revoked(error));
        if (error instanceof ApiError && error.isUnauthorized && error.code !== NOT_REGISTERED)
          throw new HostError(`The server refused this host's credential (${error.message})`);
        if (error instanceof ApiError && error.isFinal && error.status !== 404) {
          throw new HostError(`The server refused this host (${error.message}): do their versions match?`);
        }
        if (failures === 1 || failures % 10 === 0)
          log.warn(`The server can't be reached yet: ${messageOf(error)}`);
        await sleep(backoffMs(failures), this.#stopped.signal);
      }
    }
  }

  /**
   * Returns false if the server could not be reached.
   * @throws HostError if the server refuses the registration
   */
  async #register(): Promise<boolean> {
    try {
      await this.#options.register();
      this.#options.log.info("Registered this host with the server");
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) return false;
      if (error.code === REVOKED) throw new HostError(revoked(error));
      if (error.isUnauthorized) {
        throw new HostError(
          `The server refused the host token (${error.message}): is ACME_HOST_TOKEN the server's HOST_TOKEN?`,
        );
      }
      if (error.isFinal) throw new HostError(`The server refused to register this host (${error.message})`);
      return false;
    }
  }

  /**
   * Requests runs for the available room; to be called when there may be more room. Coalesces the calls of
   * one turn.
   */
  readonly poke = (): void => {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  };

  /** Ends all polls at once. */
  stop(): void {
    clearTimeout(this.#later);
    this.#stopped.abort();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  #pump(): void {
    while (!this.#resting && !this.#stopped.signal.aborted) {
      const next = nextPoll(this.#options.room(), this.#options.held(), [...this.#waiting.values()]);
      if (next === null) return;
      const early = this.#lastPoll + GATHER_MS - performance.now();
      if (next.soon && early > 0) {
        this.#later ??= setTimeout(() => {
          this.#later = undefined;
          this.#pump();
        }, early);
        return;
      }
      this.#lastPoll = performance.now();
      void this.#poll(next.max);
    }
  }

  async #poll(max: number): Promise<void> {
    const { log, onAnswer, onPoll, pollMs, session } = this.#options;
    const id = Symbol();
    this.#waiting.set(id, max);
    const begun = performance.now();
    const sessionId = session.sessionId;
    try {
      const answer = await this.#ask(max, pollMs, sessionId);
      this.#waiting.delete(id);
      if (this.#failures > 0) log.info("The server answers again");
      this.#failures = 0;
      onPoll(performance.now() - begun, answer.runs.length);
      onAnswer(answer, sessionId);
    } catch (error) {
      this.#waiting.delete(id);
      if (this.#stopped.signal.aborted) return;
      onPoll(performance.now() - begun, null);
      if (error instanceof ApiError && error.code === REVOKED) {
        if (!this.#stopped.signal.aborted) this.#options.onRevoked(revoked(error));
        this.stop();
        return;
      }
      // The server lost its list of hosts; a refusal shows at the next poll.
      if (error instanceof ApiError && error.code === NOT_REGISTERED)
        await this.#register().catch(() => false);
      await this.#rest(error);
    }
    this.poke();
  }

  async #rest(error: unknown): Promise<void> {
    // Polls that fail together count as one failure.
    if (this.#resting) return;
    this.#resting = true;
    this.#failures += 1;
    if (this.#failures === 1 || this.#failures % 20 === 0)
      this.#options.log.warn(`Polling failed (${this.#failures}×): ${messageOf(error)}`);
    await sleep(backoffMs(this.#failures), this.#stopped.signal);
    this.#resting = false;
  }

  async #ask(max: number, waitMs: number, sessionId: string): Promise<DequeueResponse> {
    const { api, session } = this.#options;
    const { hostId } = session;
    const about = this.#options.about();
    const request = { protocol: HOST_PROTOCOL, hostId, sessionId, max, waitMs, about } as const;
    const answer = await api.dequeue(request, this.#stopped.signal);
    session.heard();
    return answer;
  }
}
