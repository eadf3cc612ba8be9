import type Docker from "dockerode";
import { HangError } from "../../errors.ts";
import { orLate } from "../../or-late.ts";
import { killCriuOf } from "./criu-calls.ts";

/** How long the Engine's call may take to fail after its CRIU was killed. */
const FAIL_MS = 5_000;
/** How often CRIU is killed meanwhile: the Engine may have been about to start it. */
const KILL_MS = 250;
const STATS_MS = 2_000;

/** A call to save or restore a container. */
interface CheckpointCall {
  step: "save" | "restore";
  /** The deadline. */
  ms: number;
  /** False: missing the deadline says nothing about the Engine. */
  isHang?: boolean;
  /** Aborted when the host stops, which ends the wait for the call. */
  signal: AbortSignal;
}

/**
 * Waits for an Engine call that saves or restores a container. When the deadline has passed or the host stops, the call's CRIU
 * is killed: until CRIU ends, the Engine can't even kill the container, and CRIU outlives the host.
 * @throws HangError past the deadline, unless `isHang` is false: Error then; Error when the host stops; else what the call throws
 */
export async function withDeadline(
  container: Docker.Container,
  call: Promise<unknown>,
  { step, ms, isHang = true, signal }: CheckpointCall,
): Promise<void> {
  const done = call.then(
    () => "done" as const,
    (error: unknown) => ({ error }),
  );
  const stopped = untilAborted(signal);
  const result = await orLate(Promise.race([done, stopped.promise]), ms);
  stopped.forget();
  if (result === "done") return;
  if (result !== "late" && result !== "aborted") throw result.error;
  const killed = await killCriuUntil(done, container.id);
  if (result === "aborted") throw new Error("The host is stopping");
  const what = step === "save" ? "Saving the process" : "Restoring the process";
  const how = killed > 0 ? "its CRIU was killed" : "no CRIU of it was found";
  const message = `${what} took longer than ${Math.round(ms / 1_000)} s: ${how}`;
  throw isHang ? new HangError(step, message) : new Error(message);
}

/**
 * Kills the CRIU of a container repeatedly until the Engine's call ends. Returns the number of killed
 * processes.
 */
async function killCriuUntil(done: Promise<unknown>, containerId: string): Promise<number> {
  let killed = 0;
  for (let waited = 0; waited < FAIL_MS; waited += KILL_MS) {
    killed += killCriuOf(containerId);
    if ((await orLate(done, KILL_MS)) !== "late") return killed;
  }
  killed += killCriuOf(containerId, { withRuntime: true });
  await orLate(done, FAIL_MS);
  return killed;
}

function untilAborted(signal: AbortSignal): { promise: Promise<"aborted">; forget(): void } {
  if (signal.aborted) return { promise: Promise.resolve("aborted"), forget: () => {} };
  const { promise, resolve } = Promise.withResolvers<"aborted">();
  const abort = (): void => resolve("aborted");
  signal.addEventListener("abort", abort);
  return { promise, forget: () => signal.removeEventListener("abort", abort) };
}

/**
 * Returns the bytes of memory of the container's processes and in-memory files; 0 if the Engine does not say.
 */
export async function memoryUsed(container: Docker.Container): Promise<number> {
  // Without `one-shot` the Engine waits for a second sample.
  const options = { stream: false, "one-shot": true } as { stream: false };
  const stats = await orLate(
    container.stats(options).catch(() => "late" as const),
    STATS_MS,
  );
  return stats === "late" ? 0 : (stats.memory_stats?.usage ?? 0);
}
