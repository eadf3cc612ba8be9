import { type CheckpointRef, newId } from "@acme/sdk/contract";
import { messageOf } from "../errors.ts";
import type { HostLog } from "../log.ts";
import { orLate } from "../or-late.ts";
import type { Pool } from "../pool/pool.ts";
import { type Runtime, specOf } from "../pool/runtime.ts";
import type { CheckpointHealth } from "./health.ts";
import type { Checkpoints, SavedProcess } from "./store.ts";

/** How long a resumed run waits for its process that is still being saved, and for the self-test, before it is replayed. */
const PATIENCE_MS = 5_000;
/** The number of failure reasons that are kept for runs that are resumed later. */
const KEPT_FAILURES = 1_000;
const MAX_REASON = 500;

export interface ProcessSaverOptions {
  hostId: string;
  store: Checkpoints;
  health: CheckpointHealth;
  pool: Pick<Pool, "save">;
  /** The image from which runtimes are started now. */
  image(): string;
  log: HostLog;
  onSaved(worked: boolean): void;
}

/**
 * Saves the processes of runs that are suspended already. The server knows the checkpoint by its name before
 * the file exists, so a save that fails or hangs delays nothing: the run is replayed when it is resumed.
 */
export class ProcessSaver {
  readonly #options: ProcessSaverOptions;
  /** Saves in progress, by checkpoint. */
  readonly #saving = new Map<string, { runtime: Runtime; isWanted: boolean; done: Promise<void> }>();
  /** Why a process was not saved, by checkpoint. */
  readonly #failures = new Map<string, string>();

  constructor(options: ProcessSaverOptions) {
    this.#options = options;
  }

  /** Returns why no process is saved now; undefined while processes are saved. */
  get problem(): string | undefined {
    return this.#options.health.problem;
  }

  /** Returns the number of runtimes that are being saved. */
  *runtimes(): Generator<Runtime> {
    for (const { runtime } of this.#saving.values()) yield runtime;
  }

  get size(): number {
    return this.#saving.size;
  }

  /** Returns the name of a checkpoint that `save` creates later. */
  reserve(): CheckpointRef {
    return { hostId: this.#options.hostId, id: newId("checkpoint") };
  }

  /**
   * Saves the process of a suspended run in the background. The runtime ends, whether or not that succeeds.
   */
  save(ref: CheckpointRef, runId: string, runtime: Runtime): void {
    const done = this.#save(ref, runId, runtime).finally(() => {
      const wasWanted = this.#saving.get(ref.id)?.isWanted ?? false;
      this.#saving.delete(ref.id);
      if (!wasWanted) this.#options.store.drop(ref.id);
    });
    this.#saving.set(ref.id, { runtime, isWanted: true, done });
  }

  /** Records that the process of a reserved checkpoint can't be saved any more. */
  failed({ id }: CheckpointRef, reason: string): void {
    this.#failures.set(id, reason.slice(0, MAX_REASON));
    if (this.#failures.size > KEPT_FAILURES)
      this.#failures.delete(this.#failures.keys().next().value as string);
  }

  /** Returns the saved process of a run that is resumed, or the reason why it can't be restored here. */
  async find({ id }: CheckpointRef, runId: string): Promise<SavedProcess | string> {
    const { health, store } = this.#options;
    const saving = this.#saving.get(id);
    if (saving) await orLate(saving.done, PATIENCE_MS);
    if (this.#saving.has(id)) return "its process is still being saved";
    const failure = this.#failures.get(id);
    if (failure) return `its process could not be saved: ${failure}`;
    await health.tested(PATIENCE_MS);
    return health.problem ?? store.find(id, runId);
  }

  memoryOf({ id }: CheckpointRef): string {
    return this.#options.store.memoryOf(id);
  }

  /** Deletes a checkpoint that its run does not need any more; if it is still being saved, after that. */
  discard({ id }: CheckpointRef): void {
    this.#failures.delete(id);
    const saving = this.#saving.get(id);
    if (saving) saving.isWanted = false;
    else this.#options.store.drop(id);
  }

  /** Resolves when nothing is being saved, or after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    await orLate(Promise.all([...this.#saving.values()].map(({ done }) => done)), timeoutMs);
  }

  async #save(ref: CheckpointRef, runId: string, runtime: Runtime): Promise<void> {
    const { health, image, log, onSaved, pool, store } = this.#options;
    const { id: _, bundlePath: __, ...spec } = specOf(runtime.lane, "");
    const { bornAt: startedAt, channelToken, runs } = runtime;
    try {
      await store.create(
        ref.id,
        { runId, startedAt, runs, image: image(), channelToken, spec },
        async (folder) => {
          await pool.save(runtime, folder);
          health.worked();
        },
      );
      onSaved(true);
    } catch (error) {
      runtime.kill();
      health.failed("save", error);
      this.failed(ref, messageOf(error));
      onSaved(false);
      log.warn(`A process could not be saved, so its run will be replayed: ${messageOf(error)}`, {
        run: runId,
      });
    }
  }
}
