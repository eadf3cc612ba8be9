import { randomUUID } from "node:crypto";

/** Which host this is and which of its sessions, and when the server was last heard. */
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

  /** The server ended the session: what ran in it went to others. */
  renew(): void {
    this.#sessionId = randomUUID();
  }

  /** The server answered. */
  heard(): void {
    this.#lastContact = performance.now();
  }

  /** Milliseconds since the server last answered. */
  get silentMs(): number {
    return performance.now() - this.#lastContact;
  }
}
