import { log } from "../lib/log.ts";
import type { LeasedRun } from "../queue/rpc.ts";
import type { Stubs } from "../routing/stubs.ts";
import type { EnvironmentCore } from "./core.ts";
import type { CurrentManifest } from "./current-manifest.ts";
import type { Grant } from "./queue-flow.ts";
import type { CurrentDeployment } from "./rpc.ts";

/** The maximum number of queues that are called at once, because a Worker may hold only a few calls open. */
const PARALLEL = 50;
/** The longest pause before a queue that did not answer is asked again. */
const MAX_DELAY_MS = 10_000;

interface Owner {
  core: EnvironmentCore;
  manifest: CurrentManifest;
  queue: Stubs["queue"];
  /** The state may have changed, so the dispatcher is informed. */
  publish(): Promise<unknown>;
  /** Keeps the object alive until its argument settles. */
  waitUntil(work: Promise<unknown>): void;
}

/**
 * The environment's calls to its queues: grants, revocations, and settings that they must know. The effect of
 * an unanswered call is unknown, so its possible effect counts until the queue reports otherwise.
 */
export class QueueCalls {
  readonly #core: EnvironmentCore;
  readonly #manifest: CurrentManifest;
  readonly #queue: Stubs["queue"];
  readonly #publish: Owner["publish"];
  readonly #waitUntil: Owner["waitUntil"];
  #synced: Promise<void> | null = null;
  /** Queues that are being asked for their prefetched permits. */
  readonly #revoking = new Set<string>();

  constructor({ core, manifest, publish, queue, waitUntil }: Owner) {
    this.#core = core;
    this.#manifest = manifest;
    this.#queue = queue;
    this.#publish = publish;
    this.#waitUntil = waitUntil;
  }

  /** Asks a queue for as many runs as it was granted. Returns none if the queue does not answer. */
  async dequeue(
    grant: Grant,
    host: { hostId: string; sessionId: string },
    current: CurrentDeployment,
  ): Promise<LeasedRun[]> {
    const { hostId, sessionId } = host;
    try {
      const { runs, started, refused, ...state } = await this.#queue(grant.queueKey).dequeueRuns({
        epoch: this.#core.epoch,
        max: grant.max,
        prefetched: grant.prefetched,
        shared: grant.shared,
        limits: grant.limits,
        hostId,
        sessionId,
        deployment: current.deployment,
      });
      this.#core.granted(grant, state, { leased: runs.length, started, refused });
      return runs;
    } catch (error) {
      log.error("A grant to a queue was not answered", { queue: grant.queueKey, error });
      this.#waitUntil(this.#recover(grant));
      return [];
    }
  }

  /** Revokes prefetched permits of queues. The alarm asks again those that can't be reached. */
  revoke(queueKeys: string[]): void {
    for (const queueKey of new Set(queueKeys)) {
      if (this.#revoking.has(queueKey)) continue;
      this.#revoking.add(queueKey);
      this.#waitUntil(
        (async () => {
          try {
            const state = await this.#queue(queueKey).revokePrefetched(
              this.#core.revocations.needsKeysOf(queueKey),
            );
            if (state) this.#core.applyState(state);
            await this.#publish();
          } catch (error) {
            log.error("A queue could not be asked for its permits; it is asked again", {
              queue: queueKey,
              error,
            });
          } finally {
            this.#revoking.delete(queueKey);
          }
        })(),
      );
    }
  }

  /** Finds out the outcome of an unanswered grant. Its permits count until that is known. */
  async #recover(grant: Grant): Promise<void> {
    const epoch = this.#core.grantLost();
    for (let delay = 100; ; delay = Math.min(delay * 2, MAX_DELAY_MS)) {
      await scheduler.wait(delay);
      try {
        this.#core.recovered(grant, await this.#queue(grant.queueKey).syncState(epoch));
        await this.#publish();
        return;
      } catch (error) {
        log.error("A queue could not be asked for its state; it is asked again", {
          queue: grant.queueKey,
          error,
        });
      }
    }
  }

  /** Asks the queues that may hold slots from before this object started. Nothing is granted until all have answered. */
  sync(): Promise<void> {
    this.#synced ??= this.#syncAll().catch((error) => {
      this.#synced = null;
      throw error;
    });
    return this.#synced;
  }

  async #syncAll(): Promise<void> {
    await inParallel(this.#core.registry.queuesToSync(), async (queueKey) => {
      const state = await this.#queue(queueKey).syncState(this.#core.epoch);
      if (state) this.#core.applyState(state);
    });
  }

  /** Informs the queues that do not know the current deployment, or changes, yet. */
  async announcePromotion(): Promise<void> {
    const current = this.#manifest.deployment();
    const { queues, asOf } = this.#core.announcements.queuesToInform();
    if (!current || queues.length === 0) return;
    await inParallel(queues, (queueKey) => this.announceDeployment(queueKey, current));
    this.#core.announcements.informedAll(asOf);
  }

  /** Informs a queue of the current deployment and of its changes through the API. */
  async announceDeployment(queueKey: string, current: CurrentDeployment): Promise<void> {
    const tasks = current.manifest.tasks.map((task) => task.id);
    const limits = Object.fromEntries(
      current.manifest.tasks.flatMap(({ id, limits }) => (limits ? [[id, limits]] : [])),
    );
    const queue = this.#core.registry.nameOf(queueKey);
    const declaration = queue === undefined ? {} : this.#manifest.declared(queue);
    const changes = queue === undefined ? undefined : this.#core.changes.of(queue);
    const state = await this.#queue(queueKey).deploymentPromoted(
      current.deployment,
      tasks,
      declaration,
      changes,
      limits,
    );
    if (state) this.#core.applyState(state);
  }
}

async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += PARALLEL) {
    await Promise.all(items.slice(start, start + PARALLEL).map(work));
  }
}
