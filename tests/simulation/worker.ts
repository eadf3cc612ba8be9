/**
 * Runs the given seeds one after the other in a separate thread, because the clock that it replaces is the
 * thread's.
 */
import { parentPort } from "node:worker_threads";
import "./mutations/register.ts";
import "./register.ts";
import { options } from "./options.ts";

const { SeedFailed, simulate } = await import("./simulate.ts");

parentPort?.on("message", async (seed: number) => {
  try {
    parentPort?.postMessage({ seed, result: await simulate(seed, { kind: options.kind }) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const invariant = error instanceof SeedFailed ? error.invariant : null;
    parentPort?.postMessage({ seed, failure: { message, invariant } });
  }
});
