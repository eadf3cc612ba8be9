import type { Delivery } from "./delivery.ts";
import type { HubHost } from "./hub-host.ts";
import { sleep } from "./in-parallel.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** The counts of the environment are sent at most this often. */
const ENVIRONMENT_MS = 1_000;

/**
 * Sends the counts of the environment after changes. It is idle, or counting: the query side follows its queues a moment
 * later, so that it reads the counts until no run changes any more and two reads are equal.
 */
export class EnvironmentCounts {
  readonly #host: HubHost;
  readonly #subscriptions: Subscriptions;
  readonly #delivery: Delivery;
  #sent = "";
  #changed = false;
  #counting = false;

  constructor(host: HubHost, subscriptions: Subscriptions, delivery: Delivery) {
    this.#host = host;
    this.#subscriptions = subscriptions;
    this.#delivery = delivery;
  }

  /** Some run has changed: sends the counts in the background. */
  soon(): void {
    this.#changed = true;
    if (this.#counting) return;
    this.#counting = true;
    this.#host.keepAlive(this.#count());
  }

  async #count(): Promise<void> {
    const { environments } = this.#subscriptions;
    let before: string | null = null;
    let rest: string | null = null;
    while (environments.size > 0 && (this.#changed || rest === null || rest !== before)) {
      this.#changed = false;
      await sleep(ENVIRONMENT_MS);
      before = rest;
      rest = await this.#host.environment().then(
        (environment) => `,"environment":${JSON.stringify(environment)}}`,
        (error: unknown) => {
          console.error("The counts of an environment could not be read; they are read again", error);
          return null;
        },
      );
      if (rest === null || rest === this.#sent) continue;
      this.#sent = rest;
      for (const subscription of environments)
        if (subscription.active) this.#delivery.deliver(subscription, "environment", rest, null);
    }
    this.#counting = false;
  }
}
