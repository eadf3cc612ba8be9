import type { CheckpointRef, ResumeMethod } from "@acme/sdk/contract";
import { ApiError } from "../api.ts";
import { backoffMs, sleep } from "../backoff.ts";
import type { ReadyDeployment } from "../deployments.ts";
import { HostError, messageOf } from "../errors.ts";
import type { Work } from "../pool/runtime.ts";
import type { AttemptState } from "./attempt-state.ts";
import type { AttemptsOptions } from "./attempts.ts";

const MAX_REASON = 500;
const NO_RESTORES = "this host restores no processes";

type PreparationOptions = Pick<AttemptsOptions, "deployments" | "pool" | "saver" | "log">;

/**
 * Brings an attempt to a runtime: fetches its deployment and, if the run is resumed from a checkpoint, finds
 * its saved process; then passes it to the pool (`fetching` ─▶ `queued`). A run that can't be restored is
 * replayed.
 */
export class Preparation {
  readonly #state: AttemptState;
  readonly #work: Work;
  readonly #options: PreparationOptions;
  /** Called if the deployment can't be fetched, now or ever. */
  readonly #failed: (message: string) => void;
  /** The checkpoint from which the run is resumed, until its process is restored. */
  #savedAs: CheckpointRef | null = null;
  #resumed: ResumeMethod | undefined;

  constructor(
    state: AttemptState,
    work: Work,
    options: PreparationOptions,
    failed: (message: string) => void,
  ) {
    this.#state = state;
    this.#work = work;
    this.#options = options;
    this.#failed = failed;
    if (state.run.resume) this.#resumed = { by: "replay" };
  }

  /** Returns how the run is resumed; undefined if it starts from the beginning. */
  get resumed(): ResumeMethod | undefined {
    return this.#resumed;
  }

  start(): void {
    const ready = this.#options.deployments.peek(this.#state.run.deployment.id, this.#state.apiToken);
    if (ready) this.#fetched(ready);
    else void this.#load();
  }

  restoreFailed(reason: string): void {
    const { ready, run } = this.#state;
    if (!ready || !this.#state.isUnsent) return;
    this.#options.log.warn(`A process can't be restored, so its run is replayed: ${reason}`, {
      run: run.runId,
      environment: run.environment.key,
    });
    this.discardSaved();
    this.#resumed = { by: "replay", reason: reason.slice(0, MAX_REASON) };
    this.#submit(ready);
  }

  /** The checkpoint was used, or never will be. */
  discardSaved(): void {
    if (this.#savedAs) this.#options.saver?.discard(this.#savedAs);
    this.#savedAs = null;
  }

  async #load(): Promise<void> {
    const state = this.#state;
    const { deployment } = state.run;
    for (let failures = 1; !state.isOver; failures++) {
      let ready: ReadyDeployment;
      try {
        ready = await this.#options.deployments.load(deployment.id, state.apiToken);
      } catch (error) {
        if (error instanceof HostError || (error instanceof ApiError && error.isFinal)) {
          this.#failed(`Version ${deployment.version} can't be fetched: ${messageOf(error)}`);
          return;
        }
        if (failures === 1)
          this.#options.log.warn(`Version ${deployment.version} can't be fetched yet: ${messageOf(error)}`);
        await sleep(backoffMs(failures));
        continue;
      }
      if (!state.isOver) this.#fetched(ready);
      return;
    }
  }

  #fetched(ready: ReadyDeployment): void {
    this.#state.ready = ready;
    const checkpoint = this.#state.run.resume?.checkpoint;
    if (checkpoint) void this.#restore(ready, checkpoint);
    else this.#submit(ready);
  }

  #submit(ready: ReadyDeployment): void {
    this.#state.enter({ name: "queued" });
    this.#options.pool.submit(this.#work, ready);
  }

  async #restore(ready: ReadyDeployment, checkpoint: CheckpointRef): Promise<void> {
    const { pool, saver } = this.#options;
    this.#resumed = { by: "checkpoint" };
    // The server assigns a checkpoint only once: if it can't be restored here, it never will be, so it is
    // deleted.
    this.#savedAs = checkpoint;
    const saved = saver ? await saver.find(checkpoint, this.#state.run.runId) : NO_RESTORES;
    if (this.#state.phase.name !== "fetching") return;
    if (!saver || typeof saved === "string") {
      this.restoreFailed(String(saved));
      return;
    }
    this.#state.enter({ name: "queued" });
    pool.restore(this.#work, ready, saved, saver.memoryOf(checkpoint));
  }
}
