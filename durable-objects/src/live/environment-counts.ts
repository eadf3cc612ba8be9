import { log } from "../lib/log.ts";
import type { Delivery } from "./delivery.ts";
import type { HubHost } from "./hub-host.ts";
import { sleep } from "./in-parallel.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** The counts of the environment are sent at most this often. */
const ENVIRONMENT_MS = 1_000;
/** After the last change, the counts are read again at doubling intervals, for this long. */
const MAX_WAIT_MS = 32_000;

/**
 * Sends the counts of the environment after changes. It is idle or counting. The query side follows the
 * queues after a moment, or a minute after an outage, so the counts are read for some time after the last
 * change.
 */
export class EnvironmentCounts {
  readonly #host: HubHost;
  readonly #subscriptions: Subscriptions;
  readonly #delivery: Delivery;
  #sent = "";
  #changed = false;
  #counting = false;
  /** Ends the wait for the next change. */
  #wake: () => void = () => {};

  constructor(host: HubHost, subscriptions: Subscriptions, delivery: Delivery) {
    this.#host = host;
    this.#subscriptions = subscriptions;
    this.#delivery = delivery;
  }

  /** Sends the counts in the background, because some run has changed. */
  soon(): void {
    this.#changed = true;
    this.#wake();
    if (this.#counting) return;
    this.#counting = true;
    this.#host.keepAlive(this.#count());
  }

  async #count(): Promise<void> {
    const { environments } = this.#subscriptions;
    let waitMs = ENVIRONMENT_MS;
    while (environments.size > 0 && (this.#changed || waitMs <= MAX_WAIT_MS)) {
      if (this.#changed) waitMs = ENVIRONMENT_MS;
      this.#changed = false;
      await sleep(ENVIRONMENT_MS);
      await this.#changeWithin(waitMs - ENVIRONMENT_MS);
      waitMs *= 2;
      await this.#send();
    }
    this.#counting = false;
  }

  async #changeWithin(ms: number): Promise<void> {
    if (this.#changed || ms === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    this.#wake = () => {};
  }

  async #send(): Promise<void> {
    const rest = await this.#host.environment().then(
      (environment) => `,"environment":${JSON.stringify(environment)}}`,
      (error: unknown) => {
        log.error("The counts of an environment could not be read; they are read again", { error });
        return null;
      },
    );
    if (rest === null || rest === this.#sent) return;
    this.#sent = rest;
    for (const subscription of this.#subscriptions.environments)
      if (subscription.active) this.#delivery.deliver(subscription, "environment", rest, null);
  }
}
