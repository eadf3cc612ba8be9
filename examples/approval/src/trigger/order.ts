import { step, task, wait } from "@acme/sdk";

/** Gives the money back: a task of its own, with its own retries. */
export const refund = task({
  id: "refund",
  run: async ({ receipt }: { receipt: string }) => ({ refunded: receipt }),
});

/**
 * An order that somebody has to approve: `acme trigger order '{"id":"A1","amount":120}'` logs an address, and a POST of
 * `{"ok":true}` to it lets the order go on. Until then nothing of it runs.
 */
export const order = task({
  id: "order",
  run: async ({
    id,
    amount,
    coolDownSeconds = 10,
  }: {
    id: string;
    amount: number;
    coolDownSeconds?: number;
  }) => {
    // Done once: a run that goes on elsewhere gets the receipt that was recorded.
    const receipt = await step("charge", async () => `receipt-${id}-${crypto.randomUUID()}`);
    const token = await wait.createToken({ timeout: "7d", tags: [`order:${id}`] });
    await step("ask", async () => {
      console.log(
        `Order ${id} of ${amount} waits for approval. POST {"ok":true} or {"ok":false} to ${token.url}`,
      );
    });
    const answer = await wait.forToken<{ ok: boolean }>(token);
    if (!answer.ok || !answer.output.ok) return refund.triggerAndWait({ receipt }).unwrap();
    await wait.for({ seconds: coolDownSeconds });
    return { receipt, shipped: true };
  },
});
