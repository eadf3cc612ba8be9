import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type KeptCheckpoint, MACHINE_PRESETS } from "@acme/sdk/contract";
import { z } from "zod";
import { messageOf } from "../errors.ts";
import type { HostLog } from "../log.ts";

/** Describes a saved process. Its variables contain secrets, and so does its memory. */
const SavedProcess = z.object({
  id: z.string(),
  runId: z.string(),
  /** The host that saved it, and counts it in its disk budget. */
  hostId: z.string(),
  /** Milliseconds since the epoch. */
  savedAt: z.number(),
  /** Milliseconds since the epoch: when the process was first started. */
  startedAt: z.number(),
  /** Runs that it has finished before. */
  runs: z.number().int(),
  /** Size of its memory's files. */
  bytes: z.number(),
  /** Identifies the kind of machine; others can't restore it. */
  kind: z.string(),
  /** The machine's monotonic clock at the time of the save, in seconds: the process's timers depend on it. */
  monotonicSeconds: z.number(),
  image: z.string(),
  channelToken: z.string(),
  spec: z.object({
    environmentKey: z.string(),
    contentHash: z.string(),
    image: z.string().optional(),
    machine: z.enum(MACHINE_PRESETS),
    env: z.record(z.string(), z.string()),
  }),
});
export type SavedProcess = z.infer<typeof SavedProcess>;

const ABOUT = "about.json";
/** The folder with the process itself, which the executor writes. */
const MEMORY = "memory";

export interface CheckpointsOptions {
  /** Hosts may share the folder and restore each other's processes. */
  folder: string;
  hostId: string;
  kind: string;
  /** The maximum size of this host's checkpoints together; the oldest are removed first. */
  maxBytes: number;
  log: HostLog;
  monotonicSeconds(): number;
}

/** Saved processes on disk, readable only by the host's user. */
export class Checkpoints {
  readonly #options: CheckpointsOptions;
  /** Checkpoints that this host saved, by id. */
  readonly #own = new Map<string, SavedProcess>();
  #bytes = 0;
  #lastSavedAt = 0;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    chmodSync(options.folder, 0o700);
    this.#load();
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#own.size;
  }

  /** Returns up to `limit` checkpoints to ask the server about, different ones each time. */
  someOfOwn(limit: number): KeptCheckpoint[] {
    const some = [...this.#own.values()].slice(0, limit);
    for (const saved of some) {
      this.#own.delete(saved.id);
      this.#own.set(saved.id, saved);
    }
    return some.map(({ id, runId }) => ({ id, runId }));
  }

  /**
   * Keeps what `save` writes into a folder under the name `id`. The oldest checkpoints are removed to make
   * room for it.
   * @throws what `save` throws; Error if it alone exceeds the maximum size. Nothing is kept then
   */
  async create(
    id: string,
    about: Omit<SavedProcess, "id" | "hostId" | "kind" | "savedAt" | "bytes" | "monotonicSeconds">,
    save: (folder: string) => Promise<void>,
  ): Promise<SavedProcess> {
    const { folder, hostId, kind, maxBytes, monotonicSeconds } = this.#options;
    const own = join(folder, id);
    try {
      mkdirSync(join(own, MEMORY), { recursive: true, mode: 0o700 });
      await save(join(own, MEMORY));
      closeToOthers(own);
      const saved: SavedProcess = {
        ...about,
        id,
        hostId,
        kind,
        savedAt: this.#nextSavedAt(),
        bytes: sizeOf(join(own, MEMORY)),
        monotonicSeconds: monotonicSeconds(),
      };
      if (saved.bytes > maxBytes)
        throw new Error(
          `Its checkpoint has ${saved.bytes} bytes, more than --checkpoint-bytes (${maxBytes})`,
        );
      // Written atomically: without this file, the folder is not a checkpoint.
      writeFileSync(join(own, `${ABOUT}.new`), JSON.stringify(saved), { mode: 0o600 });
      renameSync(join(own, `${ABOUT}.new`), join(own, ABOUT));
      this.#keep(saved);
      this.#makeRoom();
      return saved;
    } catch (error) {
      rmSync(own, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Returns the current time, but later than all earlier ones, so that saves within a millisecond, or after
   * the clock was set back, have an order.
   */
  #nextSavedAt(): number {
    return Math.max(Date.now(), this.#lastSavedAt + 1);
  }

  /** Returns a process that can be restored here, or why it can't. */
  find(id: string, runId: string): SavedProcess | string {
    const { folder, hostId, kind, monotonicSeconds } = this.#options;
    if (!isName(id)) return "its checkpoint has no valid name";
    const saved = read(join(folder, id));
    if (saved?.runId !== runId) return "its checkpoint is on another host, or was evicted to free space";
    // CRIU never stops reading a truncated file.
    if (sizeOf(this.memoryOf(id)) !== saved.bytes) return "its checkpoint is damaged";
    if (saved.kind !== kind) return "its checkpoint is of another kind of machine";
    if (saved.monotonicSeconds > monotonicSeconds()) {
      return saved.hostId === hostId
        ? "the machine was restarted since its checkpoint"
        : "its checkpoint's clock is ahead of this machine's";
    }
    return saved;
  }

  memoryOf(id: string): string {
    return join(this.#options.folder, id, MEMORY);
  }

  drop(id: string): void {
    if (!isName(id)) return;
    const own = this.#own.get(id);
    if (own) {
      this.#own.delete(id);
      this.#bytes -= own.bytes;
    }
    try {
      rmSync(join(this.#options.folder, id), { recursive: true, force: true });
    } catch (error) {
      this.#options.log.error(`Checkpoint ${id} could not be deleted: ${messageOf(error)}`);
    }
  }

  #keep(saved: SavedProcess): void {
    this.#own.set(saved.id, saved);
    this.#bytes += saved.bytes;
    this.#lastSavedAt = Math.max(this.#lastSavedAt, saved.savedAt);
  }

  #makeRoom(): void {
    if (this.#bytes <= this.#options.maxBytes) return;
    const oldestFirst = [...this.#own.values()].sort((a, b) => a.savedAt - b.savedAt);
    for (const { id } of oldestFirst) {
      if (this.#bytes <= this.#options.maxBytes) return;
      this.drop(id);
    }
  }

  #load(): void {
    const { folder, hostId } = this.#options;
    const found: SavedProcess[] = [];
    for (const name of readdirSync(folder)) {
      const saved = read(join(folder, name));
      if (saved?.hostId === hostId) found.push(saved);
      // The save was interrupted, long enough ago that no other host can be writing it.
      else if (!saved && ageMs(join(folder, name)) > 3_600_000)
        rmSync(join(folder, name), { recursive: true });
    }
    for (const saved of found) this.#keep(saved);
    // The limit may have been lowered.
    this.#makeRoom();
  }
}

/** The path must not lead out of the folder. */
const isName = (id: string): boolean => /^[\w-]+$/.test(id);

function read(folder: string): SavedProcess | null {
  try {
    if (!existsSync(join(folder, ABOUT))) return null;
    return SavedProcess.parse(JSON.parse(readFileSync(join(folder, ABOUT), "utf8")));
  } catch {
    return null;
  }
}

function ageMs(path: string): number {
  return Date.now() - statSync(path).mtimeMs;
}

/** The Engine writes world-readable files, which only the permissions of the parent folder protect. */
function closeToOthers(path: string): void {
  const isFolder = statSync(path).isDirectory();
  chmodSync(path, isFolder ? 0o700 : 0o600);
  if (isFolder) for (const name of readdirSync(path)) closeToOthers(join(path, name));
}

/** Returns the size of all files in a folder; 0 if it does not exist. */
function sizeOf(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return stats?.size ?? 0;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
