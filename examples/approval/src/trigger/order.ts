import { step, task, wait } from "@acme/sdk";

/** Refunds an order. It is a separate task, so it has its own retries. */
export const refund = task({
  id: "refund",
  run: async ({ receipt }: { receipt: string }) => ({ refunded: receipt }),
});

/** An order that somebody has to approve. `acme trigger order '{"id":"A1","amount":120}'` logs an address; a
 * POST of `{"ok":true}` to that address resumes the run. Until then the run is suspended, and no process
 * runs.
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
    // The card is charged once: when the run is resumed, the step returns the recorded receipt.
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
