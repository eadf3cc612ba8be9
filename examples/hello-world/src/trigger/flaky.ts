import { task } from "@acme/sdk";

/**
 * Throws in its first `failTimes` attempts. The run is retried with growing delays, up to `maxAttempts`
 * times.
 */
export const flaky = task({
  id: "flaky",
  retry: { maxAttempts: 5, minTimeoutInMs: 200, maxTimeoutInMs: 2_000, factor: 2, randomize: false },
  run: async (payload: { failTimes: number }, { ctx }) => {
    const attempt = ctx.attempt.number;
    if (attempt <= payload.failTimes) throw new Error(`Attempt ${attempt} fails on purpose`);
    return { attempts: attempt };
  },
});
