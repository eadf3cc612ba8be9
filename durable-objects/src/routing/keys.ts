import { createHash } from "node:crypto";
import { defaultQueueName, QUEUE_HASH_LENGTH } from "@acme/sdk/contract";

/**
 * The name of the queue object that owns a partition of `queue` in an environment: the environment's key, then a hash of the
 * queue's name and the partition. The hash is short because it only has to distinguish the queues of one environment.
 */
export function queueKeyOf(environmentKey: string, queue: string, partition = 0): string {
  const name = `${queue}\n${partition}`;
  let hash = hashes.get(name);
  if (hash === undefined) {
    if (hashes.size >= MAX_HASHES) hashes.clear();
    hash = hashOf(name);
    hashes.set(name, hash);
  }
  return environmentKey + hash;
}

/** A cache of hashes, because every trigger needs one. */
const hashes = new Map<string, string>();
const MAX_HASHES = 10_000;

function hashOf(name: string): string {
  const digest = createHash("sha256").update(name).digest();
  return digest.readBigUInt64BE(0).toString(36).padStart(13, "0").slice(-QUEUE_HASH_LENGTH);
}

/** The queue object that owns a task's idempotency keys, whichever queue its runs go to. */
export const idempotencyHomeOf = (environmentKey: string, taskId: string): string =>
  queueKeyOf(environmentKey, defaultQueueName(taskId));
