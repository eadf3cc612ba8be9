import { task } from "@acme/sdk";

/** Throws in its first `failTimes` attempts: what is thrown is retried, with a growing delay, up to `maxAttempts`. */
export const flaky = task({
  id: "flaky",
  retry: { maxAttempts: 5, minTimeoutInMs: 200, maxTimeoutInMs: 2_000, factor: 2, randomize: false },
  run: async (payload: { failTimes: number }, { ctx }) => {
    const attempt = ctx.attempt.number;
    if (attempt <= payload.failTimes) throw new Error(`Attempt ${attempt} fails, as it was asked to`);
    return { attempts: attempt };
  },
});
