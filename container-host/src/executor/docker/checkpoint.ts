import { createHash } from "node:crypto";
import { cp, readdir, readFile, rm } from "node:fs/promises";
import { arch, cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { restoreDeadline } from "../../checkpoints/deadlines.ts";
import { HangError, messageOf } from "../../errors.ts";
import { withDeadline } from "./checkpoint-call.ts";

/** The name of a checkpoint within its folder. */
const NAME = "process";
/** The file with registers and thread state of the first process, which is unique for each process. */
const IDENTITY = "core-1.img";
/** The names of the folders into which containerd copies a checkpoint. */
const COPY = "ctrd-checkpoint";

/**
 * Identifies what must be equal on a machine that restores a process: the kernel, the processor and the
 * Engine.
 */
export async function machineKind(engineVersion: string): Promise<string> {
  const flags = /^flags\s*:\s*(.*)$/m.exec(await readFile("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  const facts = [release(), arch(), cpus()[0]?.model, flags, engineVersion];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 24);
}

/** A method of dockerode that its types don't have. */
interface Checkpointable {
  createCheckpoint(options: { checkpointID: string; checkpointDir: string; exit: boolean }): Promise<void>;
}

/**
 * Writes the container's processes into `folder` and ends them. `signal`: aborted when the host stops.
 * @throws HangError after `ms`, Error with CRIU's message; the container may be paused then
 */
export async function saveContainer(
  container: Docker.Container,
  folder: string,
  { ms, signal }: { ms: number; signal: AbortSignal },
): Promise<void> {
  const options = { checkpointID: NAME, checkpointDir: folder, exit: true };
  const call = (container as unknown as Checkpointable).createCheckpoint(options);
  try {
    await withDeadline(container, call, { step: "save", ms, signal });
  } catch (error) {
    if (error instanceof HangError) throw error;
    throw new Error(await explained(messageOf(error)), { cause: error });
  }
}

export interface SavedFiles {
  folder: string;
  /** Size of its files. */
  bytes: number;
  /** Where the Engine keeps its containers. */
  engineRoot: string;
}

/**
 * Starts a container that was created with the options of the saved one. The Engine looks for checkpoints
 * only where it keeps its containers, so the files are copied there; they are removed with the container.
 * `signal`: aborted when the host stops.
 * @throws HangError past the deadline, Error if the Engine or CRIU fails
 */
export async function startSaved(
  container: Docker.Container,
  { bytes, engineRoot, folder }: SavedFiles,
  signal: AbortSignal,
): Promise<void> {
  const target = join(engineRoot, "containers", container.id, "checkpoints", NAME);
  await cp(join(folder, NAME), target, { recursive: true });
  const identity = await readFile(join(target, IDENTITY));
  // dockerode would also send the options as a body, which the Engine refuses.
  const options = { _query: { checkpoint: NAME }, _body: {} };
  const call = container.start(options as Docker.ContainerStartOptions);
  try {
    await withDeadline(container, call, { step: "restore", ...restoreDeadline(bytes), signal });
  } finally {
    await rm(target, { recursive: true, force: true });
    await removeCopies(identity);
  }
}

/** Removes the copies that containerd leaves behind, which hold the process's memory. `identity`: content of its IDENTITY file. */
async function removeCopies(identity: Buffer): Promise<void> {
  // If the Engine uses its own folder for these, nothing is found.
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(COPY)) continue;
    const copy = await readFile(join(tmpdir(), name, IDENTITY)).catch(() => null);
    if (copy?.equals(identity)) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** Errors that CRIU reports with every failure, or even on success. */
const NOISE = /RLIMIT_NOFILE|^Dump files \(pid|^Dumping FAILED/;

/** Returns the reason of a failure from CRIU's log; undefined if the log has none. */
export function reasonOf(log: string): string | undefined {
  const errors = log.match(/Error \([^)]*\): .*/g) ?? [];
  const said = errors
    .map((line) => line.replace(/^Error \([^)]*\): /, ""))
    .filter((line) => !NOISE.test(line));
  return said.length === 0 ? undefined : `CRIU: ${said.slice(-3).join("; ")}`;
}

/** The Engine's message only names the path of CRIU's log: returns the reason from there. */
async function explained(message: string): Promise<string> {
  const path = /path= (\S+criu-dump\.log)/.exec(message)?.[1];
  if (!path) return message;
  const log = await readFile(path, "utf8").catch(() => "");
  return reasonOf(log) ?? message;
}
