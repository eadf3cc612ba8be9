/**
 * Runs the given seeds one after the other in a separate thread, because the clock that it replaces is the
 * thread's.
 */
import { parentPort } from "node:worker_threads";
import "./mutations/register.ts";
import "./register.ts";
import { options } from "./options.ts";
import { StatementPlans } from "./statement-plans.ts";

const { SeedFailed, simulate } = await import("./simulate.ts");
const plans = options.report === undefined ? undefined : new StatementPlans();

parentPort?.on("message", async (seed: number) => {
  try {
    const result = await simulate(seed, { kind: options.kind, onStatement: plans?.explain });
    parentPort?.postMessage({ seed, result, plans: plans?.take() });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const invariant = error instanceof SeedFailed ? error.invariant : null;
    parentPort?.postMessage({ seed, failure: { message, invariant } });
  }
});
