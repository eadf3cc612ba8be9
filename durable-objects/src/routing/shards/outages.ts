import type { ShardPeer } from "./bindings.ts";

/** How long a call waits for a process that has ended, which the server starts again at once. */
const PATIENCE_MS = 3_000;
const ASK_AGAIN_MS = 20;

/** Processes to which a connection was lost, until they have answered again. */
const lost = new Set<number>();

/** Whether a call failed because its process ended, and not because of what the object did. */
const isLostConnection = (error: unknown): boolean =>
  error instanceof Error && /^Network connection lost/.test(error.message);

/**
 * Sends a call to a process. Waits first for a process that is just being started again: a call that can't be
 * sent yet is only late. A call that was sent fails with its process, because what it did is unknown.
 */
export async function throughOutage<T>(number: number, peer: ShardPeer, send: () => Promise<T>): Promise<T> {
  if (lost.has(number)) await untilItAnswers(number, peer);
  try {
    return await send();
  } catch (error) {
    if (isLostConnection(error)) lost.add(number);
    throw error;
  }
}

async function untilItAnswers(number: number, peer: ShardPeer): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    // If the process has not answered at the deadline, the call itself fails.
    const answers = peer.ping().then(
      () => true,
      () => pause(ASK_AGAIN_MS).then(() => false),
    );
    if (!(await Promise.race([answers, pause(deadline - Date.now())]))) continue;
    lost.delete(number);
    return;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
