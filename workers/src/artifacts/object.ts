import { DurableObject } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Bindings } from "../bindings.ts";
import { claimUnneeded, deleteClaimed } from "./collection.ts";
import type { ArtifactsRpc } from "./rpc.ts";

/** Runs of the former version that were leased just now have to be on the query side before it is asked. */
const FIRST_MS = 5_000;
/** A run that was triggered before its version was claimed is on the query side after that. */
const CLAIMED_MS = 10_000;
/** An old version whose runs take long is looked at ever more rarely, and not more rarely than this. */
const LONGEST_MS = 600_000;
const RETRY_MS = 10_000;

interface State {
  environment: EnvironmentRef;
  /** Deployments that may be marked as collected and whose bundles may still be there. */
  claimed: string[];
  /** How long it waits before it looks again. */
  waitMs: number;
}

/**
 * Deletes the bundles of an environment's old versions once their last runs have ended. It looks after each deployment, and
 * again by its alarm for as long as an old version has runs. A version is first marked, so that nothing new can come to need
 * it, and its bundle is deleted by a later step that finds it still unneeded. Every step can be repeated.
 */
export class ArtifactsObject extends DurableObject<Bindings> implements ArtifactsRpc {
  get #state(): State | undefined {
    return this.ctx.storage.kv.get<State>("state");
  }

  #save(state: State): void {
    this.ctx.storage.kv.put("state", state);
  }

  async collectSoon(environment: EnvironmentRef): Promise<void> {
    const claimed = this.#state?.claimed ?? [];
    this.#save({ environment, claimed, waitMs: FIRST_MS });
    await this.ctx.storage.setAlarm(Date.now() + (claimed.length > 0 ? CLAIMED_MS : FIRST_MS));
  }

  override async alarm(): Promise<void> {
    const state = this.#state;
    if (!state) return;
    try {
      await this.#collect(state);
    } catch (error) {
      log.error("Old versions could not be collected; the alarm tries again", {
        environment: state.environment.key,
        error,
      });
      await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    }
  }

  async #collect({ environment, claimed }: State): Promise<void> {
    await deleteClaimed(this.env, environment, claimed);
    const { claims, isWaiting } = await claimUnneeded(this.env, environment, (ids) =>
      this.#save({ ...(this.#state as State), claimed: ids }),
    );
    // A deployment that came meanwhile has set the alarm, and begins with short waits.
    const state = this.#state as State;
    if (claims.length > 0) await this.ctx.storage.setAlarm(Date.now() + CLAIMED_MS);
    else if (isWaiting) {
      this.#save({ ...state, waitMs: Math.min(2 * state.waitMs, LONGEST_MS) });
      await this.ctx.storage.setAlarm(Date.now() + state.waitMs);
    } else if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.deleteAll();
  }
}
