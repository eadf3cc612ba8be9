import { randomUUID } from "node:crypto";

/** The host's id, its current session at the server, and when the server last answered. */
export class Session {
  readonly hostId: string;
  #sessionId = randomUUID();
  #lastContact = performance.now();

  constructor(hostId: string) {
    this.hostId = hostId;
  }

  get sessionId(): string {
    return this.#sessionId;
  }

  /** Starts a new session, because the server ended the previous one and gave its runs to other hosts. */
  renew(): void {
    this.#sessionId = randomUUID();
  }

  /** Records that the server answered. */
  heard(): void {
    this.#lastContact = performance.now();
  }

  /** Returns the milliseconds since the server last answered. */
  get silentMs(): number {
    return performance.now() - this.#lastContact;
  }
}
