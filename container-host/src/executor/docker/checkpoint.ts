import { createHash } from "node:crypto";
import { cp, readdir, readFile, rm } from "node:fs/promises";
import { arch, cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { sleep } from "../../backoff.ts";
import { messageOf } from "../../errors.ts";

/** The name of a checkpoint within its folder. */
const NAME = "process";
/** A restore that takes longer has failed: the run is replayed instead, while its lease lasts. */
const RESTORE_MS = 25_000;
/** Registers and thread state of its first process: no two processes have the same. */
const IDENTITY = "core-1.img";
/** What containerd calls the folders into which it copies a checkpoint once more. */
const COPY = "ctrd-checkpoint";

/** What has to be the same on a machine that restores a process: its kernel, its processor and the Engine. */
export async function machineKind(engineVersion: string): Promise<string> {
  const flags = /^flags\s*:\s*(.*)$/m.exec(await readFile("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  const facts = [release(), arch(), cpus()[0]?.model, flags, engineVersion];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 24);
}

/** What dockerode can do, but its types don't say. */
interface Checkpointable {
  createCheckpoint(options: { checkpointID: string; checkpointDir: string; exit: boolean }): Promise<void>;
}

/** Writes the container's processes into `folder` and ends them. @throws Error that says what CRIU said */
export async function saveContainer(container: Docker.Container, folder: string): Promise<void> {
  try {
    await (container as unknown as Checkpointable).createCheckpoint({
      checkpointID: NAME,
      checkpointDir: folder,
      exit: true,
    });
  } catch (error) {
    throw new Error(await explained(messageOf(error)), { cause: error });
  }
}

/**
 * Starts a container that was created as the saved one was. The Engine looks for checkpoints only where it keeps its
 * containers, so the files are copied to there; they go with the container.
 */
export async function startSaved(
  container: Docker.Container,
  { folder, engineRoot }: { folder: string; engineRoot: string },
): Promise<void> {
  const target = join(engineRoot, "containers", container.id, "checkpoints", NAME);
  await cp(join(folder, NAME), target, { recursive: true });
  const identity = await readFile(join(target, IDENTITY));
  // dockerode would send the options as a body too, which the Engine refuses.
  const options = { _query: { checkpoint: NAME }, _body: {} };
  const patience = new AbortController();
  const late = sleep(RESTORE_MS, patience.signal).then(() => {
    if (!patience.signal.aborted) throw new Error(`The Engine did not restore it within ${RESTORE_MS} ms`);
  });
  try {
    await Promise.race([container.start(options as Docker.ContainerStartOptions), late]);
  } finally {
    patience.abort();
    await rm(target, { recursive: true, force: true });
    await removeCopies(identity);
  }
}

/** containerd leaves its copies where they are, with all that was in the process's memory. `identity`: what its file says. */
async function removeCopies(identity: Buffer): Promise<void> {
  // Where the Engine has a folder of its own for these, nothing is found.
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(COPY)) continue;
    const copy = await readFile(join(tmpdir(), name, IDENTITY)).catch(() => null);
    if (copy?.equals(identity)) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** What CRIU says of every failure, or also where it succeeds. */
const NOISE = /RLIMIT_NOFILE|^Dump files \(pid|^Dumping FAILED/;

/** What stood in the way, from CRIU's log; undefined: it says nothing. */
export function reasonOf(log: string): string | undefined {
  const errors = log.match(/Error \([^)]*\): .*/g) ?? [];
  const said = errors
    .map((line) => line.replace(/^Error \([^)]*\): /, ""))
    .filter((line) => !NOISE.test(line));
  return said.length === 0 ? undefined : `CRIU: ${said.slice(-3).join("; ")}`;
}

/** The Engine only says where CRIU's log is. */
async function explained(message: string): Promise<string> {
  const path = /path= (\S+criu-dump\.log)/.exec(message)?.[1];
  if (!path) return message;
  const log = await readFile(path, "utf8").catch(() => "");
  return reasonOf(log) ?? message;
}
