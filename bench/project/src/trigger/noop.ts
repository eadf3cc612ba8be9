import { step, task } from "@acme/sdk";
import { mark } from "./mark.ts";
import { STEPS } from "./steps-count.ts";

/** Does nothing; `marks` is the socket to which the start is reported. */
export const noop = task({
  id: "noop",
  run: async (payload: { i: number; marks?: string }) => {
    if (payload.marks) mark(payload.marks, payload.i);
    return { i: payload.i };
  },
});

/** Ten durable steps that do nothing: each is recorded before the next one begins. */
export const steps = task({
  id: "steps",
  run: async ({ i }: { i: number }) => {
    let sum = 0;
    for (let n = 0; n < STEPS; n++) sum += await step(`step ${n}`, async () => i + n);
    return { sum };
  },
});
