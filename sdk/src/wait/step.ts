import { sleep } from "../client/request.ts";
import { DEFAULTS, LIMITS } from "../contract/limits.ts";
import type { RetryOptions } from "../contract/manifest.ts";
import { nextRetryDelay } from "../contract/retry-delay.ts";
import { fitsBytes, utf8Bytes } from "../contract/text.ts";
import { toTaskRunError } from "../run/run-error.ts";
import { currentRun } from "../run/state.ts";
import { callSite, durableScope, unrecorded } from "./durable.ts";
import { readValue, recordedValue } from "./operation-errors.ts";

export interface StepOptions {
  /**
   * How the step is retried when it throws. Default: one attempt. Fields that are left out have the defaults
   * of a task.
   */
  retry?: RetryOptions;
}
export interface StepParams {
  /** Counts from 1. */
  attempt: number;
  /** Aborted when the run is canceled or exceeds its `maxDuration`. */
  signal: AbortSignal | undefined;
}

/**
 * Does something once per run. The return value of `fn` is in the run's journal before this resolves, and a
 * run that is resumed by a replay gets it from there without calling `fn` again. `fn` is called again only if
 * the process ended before the result was recorded. Use it for side effects, and for reading values that can
 * differ from one time to the next.
 *
 * Values are serialized like a task's output (dates, maps, … but no functions). Errors keep their name,
 * message and stack. An AbortTaskRunError ends the attempts. Inside another step, and outside of a task, `fn`
 * is simply called.
 * @param name shown on the run's timeline
 * @throws what the last attempt threw; Error if the value is larger than 1 MB
 */
export async function step<T>(
  name: string,
  fn: (params: StepParams) => T | Promise<T>,
  options?: StepOptions,
): Promise<T> {
  const site = callSite(step);
  if (typeof name !== "string" || name === "")
    throw new TypeError('A step needs a name: step("charge", async () => { … })');
  if (typeof fn !== "function") throw new TypeError(`Step "${name}" needs a function`);
  const found = durableScope();
  if (!found) return attempts(fn, options?.retry);
  return found.scope.operation<T>({
    kind: "step",
    name,
    site,
    durable: true,
    start: async () => {
      try {
        return { result: checked(name, await attempts(fn, options?.retry)) };
      } catch (error) {
        return { result: { ok: false, error: toTaskRunError(error) } };
      }
    },
    read: readValue<T>,
  });
}

async function attempts<T>(
  fn: (params: StepParams) => T | Promise<T>,
  retry: RetryOptions | undefined,
): Promise<T> {
  const settings = retry ? { ...DEFAULTS.retry, ...retry } : { maxAttempts: 1 };
  const signal = currentRun()?.signal;
  for (let attempt = 1; ; attempt++) {
    try {
      return await fn({ attempt, signal });
    } catch (error) {
      if (error instanceof Error && error.name === "AbortTaskRunError") throw error;
      const delay = unrecorded(() => nextRetryDelay(settings, attempt));
      if (delay === undefined) throw error;
      await sleep(delay, signal);
    }
  }
}

function checked(name: string, value: unknown) {
  const result = recordedValue(value);
  const output = (result.ok && result.output) || "";
  // The journal holds the output as a string inside JSON, where a quote takes two bytes.
  if (
    fitsBytes(output, LIMITS.stepOutputBytes) &&
    fitsBytes(JSON.stringify(output), LIMITS.stepOutputBytes * 1.25)
  )
    return result;
  throw new Error(
    `Step "${name}" returned ${utf8Bytes(output)} bytes of JSON, more than the ${LIMITS.stepOutputBytes} that can be recorded: store the value elsewhere and return a reference`,
  );
}
