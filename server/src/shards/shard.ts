import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DataDir } from "../data-dir.ts";
import { ServerError } from "../errors.ts";
import { lockDataDir } from "../lock.ts";
import type { ProcessFiles } from "../worker-files.ts";
import { Placements } from "./placements.ts";

export const MAX_PROCESSES = 64;

/** One workerd process of the server, and the folder that only it uses. */
export interface Shard {
  index: number;
  /** Its name in logs and in `pids.json`. */
  name: string;
  /** SQLite files of its objects. */
  objects: string;
  /** Its configuration, and its secrets while it starts. */
  generated: string;
  /** Where the other processes call it, relative to the data folder: their working directory. */
  socket: string;
}

export interface Shards {
  all: Shard[];
  placements: Placements;
  unlock(): void;
}

/**
 * Opens the folders of `processes` processes. The first one has the folder of a server with one process, so such a server
 * can be started with more, and its environments stay where they are.
 * @throws ServerError if there would be environments in processes that do not run
 */
export function openShards(dir: DataDir, processes: number): Shards {
  if (!Number.isInteger(processes) || processes < 1 || processes > MAX_PROCESSES)
    throw new ServerError(`A server has 1 to ${MAX_PROCESSES} processes, not ${processes}.`);
  if (processes > 1 && process.platform !== "linux")
    throw new ServerError("More than one process needs Linux. Leave --processes out.");
  const placements = new Placements(dir.placementsFile);
  refuseMissing(dir, placements, processes);
  const all = Array.from({ length: processes }, (_, index) => shardOf(dir, index));
  const unlocks: (() => void)[] = [];
  const unlock = (): void => {
    for (const each of unlocks) each();
  };
  try {
    for (const { index } of all) {
      if (index === 0) continue;
      const folder = join(dir.shards, String(index));
      for (const path of [join(folder, "objects"), join(folder, "generated")])
        mkdirSync(path, { recursive: true });
      unlocks.push(lockDataDir(folder));
    }
  } catch (error) {
    unlock();
    throw error;
  }
  return { all, placements, unlock };
}

function shardOf(dir: DataDir, index: number): Shard {
  const socket = `generated/worker-${index}.sock`;
  if (index === 0) return { index, name: "worker", objects: dir.objects, generated: dir.generated, socket };
  const folder = join(dir.shards, String(index));
  return {
    index,
    name: `worker-${index}`,
    objects: join(folder, "objects"),
    generated: join(folder, "generated"),
    socket,
  };
}

/**
 * A process that does not run answers no requests, so all requests for its environments would fail.
 * @throws ServerError if environments are placed beyond the last process, or are there without being placed
 */
function refuseMissing(dir: DataDir, placements: Placements, processes: number): void {
  const { last } = placements;
  if (last >= processes)
    throw new ServerError(
      `${placements.countFrom(processes)} environments of ${dir.root} are in processes that would not run, and would not be reachable. Start it with --processes ${last + 1} or more.`,
    );
  const unplaced = foldersWithObjects(dir).find((process) => process > last);
  if (unplaced !== undefined)
    throw new ServerError(
      `${join(dir.shards, String(unplaced))} has environments that ${dir.placementsFile} does not know. Restore that file from the backup that the folder is from.`,
    );
}

/** An object's file is named by its id, a hash. workerd creates other files in each folder, used or not. */
const OBJECT_FILE = /^[0-9a-f]{64}\.sqlite$/;

function foldersWithObjects(dir: DataDir): number[] {
  if (!existsSync(dir.shards)) return [];
  return readdirSync(dir.shards)
    .filter((shard) => {
      const environments = join(dir.shards, shard, "objects/acme-EnvironmentObject");
      return existsSync(environments) && readdirSync(environments).some((name) => OBJECT_FILE.test(name));
    })
    .map(Number);
}

/** The server's socket for placements, relative to the data folder. */
export const PLACEMENTS_SOCKET = "generated/placements.sock";

/** What workerd's configuration of a process needs. A single process gets no shards. */
export const processFiles = ({ index, objects, generated }: Shard, { all }: Shards): ProcessFiles => ({
  objects,
  generated,
  shard:
    all.length === 1
      ? undefined
      : { index, sockets: all.map(({ socket }) => socket), placements: PLACEMENTS_SOCKET },
});
