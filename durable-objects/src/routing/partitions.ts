import { defaultQueueName, limitsOfQueue, MAX_PARTITIONS } from "@acme/sdk/contract";
import type { CurrentDeployment } from "../environment/rpc.ts";
import type { IndexedManifest } from "./declaration.ts";
import { queueKeyOf } from "./keys.ts";
import type { EnvironmentRef, QueueRef } from "./refs.ts";

/** Refers to one partition of a queue: by default the first, which also keeps changes through the API. */
export const queueRef = (environment: EnvironmentRef, queue: string, partition = 0): QueueRef => ({
  environment,
  queue,
  partition,
  queueKey: queueKeyOf(environment.key, queue, partition),
});

/** Returns the number of partitions over which new runs of a queue are spread. */
export function partitionsOf(
  { partitions }: Pick<CurrentDeployment, "partitions">,
  { tasks, queues }: IndexedManifest,
  queue: string,
): number {
  if (partitions[queue] !== undefined) return partitions[queue];
  const places = {
    queue: (name: string) => queues.get(name),
    task: (id: string) => tasks.get(id),
  };
  return limitsOfQueue(places, queue).partitions ?? 1;
}

/**
 * The partition for `name` (a concurrency key, or what names a request). The same name always gives the same partition, and
 * another number of partitions moves as few names as possible (the jump hash by Lamping and Veach).
 */
export function partitionOf(name: string, partitions: number): number {
  if (partitions === 1) return 0;
  let state = hashOf(name);
  let partition = 0;
  for (let next = 0; next < partitions; ) {
    partition = next;
    state = (state + 0x9e3779b9) | 0;
    next = Math.floor((partition + 1) * (2 ** 32 / (mixed(state) + 1)));
  }
  return partition;
}

/** A 32-bit hash of the text (FNV-1a). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}

/** Mixes the bits: each bit of the result depends on all bits of `value` (the finalizer of MurmurHash3). */
function mixed(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Finds the queue that has this key: one of `queues`, or the task's own. */
export function refOfKey(
  environment: EnvironmentRef,
  queueKey: string,
  { queues, task }: { queues: string[]; task: string },
): QueueRef {
  const own = defaultQueueName(task);
  for (const queue of [...queues, own]) {
    for (let partition = 0; partition < MAX_PARTITIONS; partition++) {
      if (queueKeyOf(environment.key, queue, partition) === queueKey)
        return { environment, queue, partition, queueKey };
    }
  }
  return { environment, queue: own, partition: 0, queueKey };
}
