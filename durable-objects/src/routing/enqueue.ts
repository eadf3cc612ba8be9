import { defaultQueueName, parseRunId } from "@acme/sdk/contract";
import type { QueueDeclaration, QueueRpc, TriggerItem, TriggerResult } from "../queue/rpc.ts";
import { debounceClaimOf, pushOf } from "./debounce-claim.ts";
import { idempotencyHomeOf } from "./keys.ts";
import { queueRef, refOfKey } from "./partitions.ts";
import type { EnvironmentRef, QueueRef } from "./refs.ts";

/** A queue, and runs to create in it. Their ids name that queue. */
export interface QueuedRuns {
  target: QueueRef;
  declaration: QueueDeclaration;
  items: TriggerItem[];
}

type QueueOf = (queueKey: string) => QueueRpc;

/**
 * Creates runs, or finds those that their idempotency and debounce keys stand for. Results are in the order of the items.
 * All items are sent in one call, except those whose key has its home, or whose run is, in another queue. The call may be
 * repeated with the same ids.
 */
export async function enqueueRuns(
  queueOf: QueueOf,
  { target, declaration, items }: QueuedRuns,
): Promise<TriggerResult[]> {
  const { environment } = target;
  const create = (group: TriggerItem[]) =>
    group.length === 0
      ? Promise.resolve([])
      : queueOf(target.queueKey).triggerRuns(target, declaration, group);
  const claimed = await Promise.all(items.map((item) => claimElsewhere(queueOf, target, item)));
  const here = claimed.filter(({ item }) => isOf(target, item.runId));
  const created = await create(here.map(({ item }) => item));
  const results = new Map(here.map(({ item }, index) => [item, created[index] as TriggerResult]));
  return Promise.all(
    claimed.map(async ({ item, cached }) => {
      const result = results.get(item) ?? { runId: item.runId, cached: true };
      if (result.error || isOf(target, result.runId)) return { ...result, cached: result.cached || cached };
      if (!result.mayBeOver) {
        await ensureElsewhere(queueOf, target, item, result.runId);
        return { ...result, cached: true };
      }
      // This queue holds the debounce key, but the key's run is in another queue, which knows whether the run
      // still waits.
      const settled = await settleDebounce(queueOf, environment, item);
      const own = { ...withoutClaims(item), runId: settled.runId };
      if (isOf(target, own.runId)) return (await create([own]))[0] as TriggerResult;
      await ensureElsewhere(queueOf, target, own, own.runId);
      return { runId: own.runId, cached: true };
    }),
  );
}

const isOf = (target: QueueRef, runId: string): boolean => parseRunId(runId)?.queueKey === target.queueKey;

const withoutClaims = (item: TriggerItem): TriggerItem => ({
  ...item,
  idempotency: item.idempotency && { ...item.idempotency, claim: false },
  debounce: item.debounce && { ...item.debounce, claim: false },
});

/** Claims the item's keys at their home, if that isn't the queue of its run. */
async function claimElsewhere(
  queueOf: QueueOf,
  target: QueueRef,
  item: TriggerItem,
): Promise<{ item: TriggerItem; cached: boolean }> {
  if (!item.idempotency?.claim && !item.debounce?.claim) return { item, cached: false };
  const { key: environmentKey } = target.environment;
  if (target.queueKey === idempotencyHomeOf(environmentKey, item.task)) return { item, cached: false };
  const { claimed, item: claimedItem } = await claimRunId(queueOf, target.environment, item);
  return { item: claimedItem, cached: !claimed };
}

/**
 * Decides which run the item's keys stand for: the item's own, unless an earlier one answers for it. `item` is the item to
 * create that run with: it has the run's id, and nothing left to claim.
 */
export async function claimRunId(
  queueOf: QueueOf,
  environment: EnvironmentRef,
  item: TriggerItem,
): Promise<{ claimed: boolean; item: TriggerItem }> {
  const { task, runId, idempotency } = item;
  if (idempotency?.claim) {
    const { key, expiresAt } = idempotency;
    const home = homeOf(environment, task);
    const claim = { task, key, runId, expiresAt };
    const answer = await queueOf(home.queueKey).claimIdempotencyKey(home, claim);
    item = { ...item, idempotency: { ...idempotency, expiresAt: answer.expiresAt } };
    if (!answer.claimed) return { claimed: false, item: { ...withoutClaims(item), runId: answer.runId } };
  }
  if (!item.debounce?.claim) return { claimed: true, item: withoutClaims(item) };
  const settled = await settleDebounce(queueOf, environment, item);
  return { claimed: settled.claimed, item: { ...withoutClaims(item), runId: settled.runId } };
}

/** Finds the run that a debounced trigger becomes part of, in whichever queue. Claimed: the trigger needs its own run. */
async function settleDebounce(
  queueOf: QueueOf,
  environment: EnvironmentRef,
  item: TriggerItem,
): Promise<{ runId: string; claimed: boolean }> {
  const { runId } = item;
  const home = homeOf(environment, item.task);
  const claim = debounceClaimOf(item, item.debounce as NonNullable<TriggerItem["debounce"]>);
  for (let replaces: string | undefined; ; ) {
    const owner = await queueOf(home.queueKey).claimDebounceKey(home, { ...claim, replaces });
    if (owner === runId) return { runId, claimed: true };
    const queue = queueOf(parseRunId(owner)?.queueKey as string);
    const verdict = await queue.pushDebounced(environment.key, owner, pushOf(item));
    if (verdict !== "over") return { runId: owner, claimed: false };
    replaces = owner;
  }
}

function homeOf(environment: EnvironmentRef, task: string): QueueRef {
  return queueRef(environment, defaultQueueName(task));
}

/**
 * Creates a claimed run in a queue (or partition) other than the item's target, unless it exists: the
 * claimant of the key may have died before creating it. Registers the item's waiter there. The queue knows
 * its own name.
 */
async function ensureElsewhere(
  queueOf: QueueOf,
  target: QueueRef,
  item: TriggerItem,
  runId: string,
): Promise<void> {
  const { environment } = target;
  const queueKey = parseRunId(runId)?.queueKey as string;
  const owner = queueOf(queueKey);
  // A trigger with keys is sent even if the run exists: the run is kept for as long as its keys.
  const isPlain = !item.waiter && !item.idempotency;
  if (isPlain && (await owner.retrieveRun(environment.key, runId))) return;
  const stats = await owner.queueStats(environment.key);
  const ref = refOfKey(environment, queueKey, { queues: [target.queue], task: item.task });
  await owner.triggerRuns(ref, stats?.declared ?? {}, [{ ...withoutClaims(item), runId }]);
}
