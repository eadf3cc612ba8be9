import type { HubHost } from "./hub-host.ts";
import type { LivePrincipal } from "./rpc.ts";

/** An answer is good for this long. */
const FRESH_MS = 10_000;

/** Whether keys and sessions are still valid. However many connections one of them has, it is asked about once. */
export class Validity {
  readonly #host: HubHost;
  readonly #asked = new Map<string, { at: number; valid: Promise<boolean> }>();

  constructor(host: HubHost) {
    this.#host = host;
  }

  /** Rejects when that could not be found out. */
  isValid(principal: LivePrincipal): Promise<boolean> {
    const now = this.#host.now();
    for (const [proof, { at }] of this.#asked) {
      if (at > now - FRESH_MS) break;
      this.#asked.delete(proof);
    }
    const known = this.#asked.get(principal.proof);
    if (known) return known.valid;
    const valid = this.#host.isValid(principal);
    this.#asked.set(principal.proof, { at: now, valid });
    valid.catch(() => this.#asked.delete(principal.proof));
    return valid;
  }
}
