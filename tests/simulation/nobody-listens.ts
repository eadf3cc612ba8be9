import type { LiveInterest } from "@acme/durable-objects/rpc";

/** A LiveObject without listeners, for scenarios that need none. */
export class NobodyListens {
  #at = 0;

  async runsChanged(): Promise<LiveInterest> {
    this.#at += 1;
    return { at: this.#at, life: "", all: false, runs: [], forMs: 60_000 };
  }
}
