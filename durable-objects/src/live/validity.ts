import type { HubHost } from "./hub-host.ts";
import type { LivePrincipal } from "./rpc.ts";

/** How long an answer is cached. */
const FRESH_MS = 10_000;

/**
 * Checks whether keys and sessions are still valid. Each is checked once, however many connections use it.
 */
export class Validity {
  readonly #host: HubHost;
  readonly #asked = new Map<string, { at: number; valid: Promise<boolean> }>();

  constructor(host: HubHost) {
    this.#host = host;
  }

  /** Rejects if the check failed. */
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
