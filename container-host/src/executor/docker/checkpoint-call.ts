import type Docker from "dockerode";
import { HangError } from "../../errors.ts";
import { orLate } from "../../or-late.ts";
import { killCriuOf } from "./criu-calls.ts";

/** How long the Engine's call may take to fail after its CRIU was killed. */
const FAIL_MS = 5_000;
const STATS_MS = 2_000;

/**
 * Waits for an Engine call that saves or restores a container. Past the deadline the call's CRIU is killed: until CRIU ends,
 * the Engine can't even kill the container.
 * @throws HangError past the deadline, unless `isHang` is false: Error then; else what the call throws
 */
export async function withDeadline(
  container: Docker.Container,
  call: Promise<unknown>,
  { step, ms, isHang = true }: { step: "save" | "restore"; ms: number; isHang?: boolean },
): Promise<void> {
  const done = call.then(
    () => "done" as const,
    (error: unknown) => ({ error }),
  );
  const result = await orLate(done, ms);
  if (result === "done") return;
  if (result !== "late") throw result.error;
  const killed = killCriuOf(container.id);
  if ((await orLate(done, FAIL_MS)) === "late") {
    killCriuOf(container.id, { withRuntime: true });
    await orLate(done, FAIL_MS);
  }
  const what = step === "save" ? "Saving the process" : "Restoring the process";
  const how = killed > 0 ? "its CRIU was killed" : "no CRIU of it was found";
  const message = `${what} took longer than ${Math.round(ms / 1_000)} s: ${how}`;
  throw isHang ? new HangError(step, message) : new Error(message);
}

/** Bytes of memory that the container's processes and its files in memory take; 0 where the Engine does not say. */
export async function memoryUsed(container: Docker.Container): Promise<number> {
  // Without `one-shot` the Engine waits for a second sample.
  const options = { stream: false, "one-shot": true } as { stream: false };
  const stats = await orLate(
    container.stats(options).catch(() => "late" as const),
    STATS_MS,
  );
  return stats === "late" ? 0 : (stats.memory_stats?.usage ?? 0);
}
