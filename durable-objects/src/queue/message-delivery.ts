import { type OperationResult, parseRunId } from "@acme/sdk/contract";
import type { Stubs } from "../routing/stubs.ts";
import type { Message } from "./messages.ts";
import type { QueueRpc } from "./rpc.ts";

/**
 * Delivers a queue's message to the object that it is for. Returns the result of a token that is complete
 * already. Throws when the receiver could not be reached.
 */
export async function deliverMessage(
  stubs: Stubs,
  environmentKey: string,
  message: Message,
): Promise<OperationResult | null> {
  switch (message.type) {
    case "finished": {
      const { finished, waiter } = message;
      if (waiter.type === "batch") {
        await stubs.batch(waiter.batchId).runFinished(environmentKey, waiter.index, finished);
      } else {
        const { runId, attempt, number } = waiter;
        const completed = { runId, attempt, number, result: finished.result };
        await queueOf(stubs, runId)?.completeOperation(environmentKey, completed);
      }
      return null;
    }
    case "subscribe":
      return stubs.waitpoint(message.tokenId).waitForToken(environmentKey, message.waiter);
    case "cancel":
      await queueOf(stubs, message.runId)?.cancelRun(environmentKey, message.runId, message.reason);
      return null;
    case "cancel-batch":
      await stubs.batch(message.batchId).cancelBatch(environmentKey, message.reason);
      return null;
  }
}

/** Undefined: `runId` is no run's id. */
function queueOf(stubs: Stubs, runId: string): QueueRpc | undefined {
  const queueKey = parseRunId(runId)?.queueKey;
  return queueKey === undefined ? undefined : stubs.queue(queueKey);
}
