import { defaultQueueName, parseRunId } from "@acme/sdk/contract";
import { idempotencyHomeOf } from "../keys.ts";
import type {
  EnvironmentRef,
  QueueDeclaration,
  QueueRef,
  QueueRpc,
  TriggerItem,
  TriggerResult,
} from "../rpc.ts";

/** A queue with runs to create in it. Their ids are made for it. */
export interface QueuedRuns {
  target: QueueRef;
  declaration: QueueDeclaration;
  items: TriggerItem[];
}

type QueueOf = (queueKey: string) => QueueRpc;

/**
 * Creates runs, or finds those that their idempotency keys stand for: the results in the order of the items. One call
 * for all of them, but for those whose key has its home, or whose run lies, in another queue. May be sent again with the
 * same ids.
 */
export async function enqueueRuns(
  queueOf: QueueOf,
  { target, declaration, items }: QueuedRuns,
): Promise<TriggerResult[]> {
  const { environment } = target;
  const claimed = await Promise.all(items.map((item) => claimElsewhere(queueOf, target, item)));
  const here = claimed.filter(({ item }) => parseRunId(item.runId)?.queueKey === target.queueKey);
  const created =
    here.length === 0
      ? []
      : await queueOf(target.queueKey).triggerRuns(
          target,
          declaration,
          here.map(({ item }) => item),
        );
  const results = new Map(here.map(({ item }, index) => [item, created[index] as TriggerResult]));
  return Promise.all(
    claimed.map(async ({ item, cached }) => {
      const result = results.get(item) ?? { runId: item.runId, cached: true };
      if (result.error) return result;
      if (parseRunId(result.runId)?.queueKey !== target.queueKey)
        await ensureElsewhere(queueOf, environment, item, result.runId);
      return { ...result, cached: result.cached || cached };
    }),
  );
}

/** Asks the home of the item's key, where that isn't the queue of its run, which run the key stands for. */
async function claimElsewhere(
  queueOf: QueueOf,
  target: QueueRef,
  item: TriggerItem,
): Promise<{ item: TriggerItem; cached: boolean }> {
  if (!item.idempotency?.claim) return { item, cached: false };
  const { key: environmentKey } = target.environment;
  if (target.queueKey === idempotencyHomeOf(environmentKey, item.task)) return { item, cached: false };
  const { runId, claimed } = await claimRunId(queueOf, target.environment, item);
  return { item: { ...item, runId, idempotency: { ...item.idempotency, claim: false } }, cached: !claimed };
}

/** Which run the item's idempotency key stands for: the item's own id, unless a live claim exists. */
export function claimRunId(
  queueOf: QueueOf,
  environment: EnvironmentRef,
  { task, runId, idempotency }: TriggerItem,
): Promise<{ runId: string; claimed: boolean }> {
  if (!idempotency) return Promise.resolve({ runId, claimed: true });
  const { key, expiresAt } = idempotency;
  const queueKey = idempotencyHomeOf(environment.key, task);
  const home = { environment, queue: defaultQueueName(task), partition: 0, queueKey };
  return queueOf(queueKey).claimIdempotencyKey(home, { task, key, runId, expiresAt });
}

/**
 * Creates a claimed run in a queue that the item doesn't name, if it isn't there (whoever claimed the key may have died
 * before), and has its end told to the item's waiter. The queue knows its own name.
 */
async function ensureElsewhere(
  queueOf: QueueOf,
  environment: EnvironmentRef,
  item: TriggerItem,
  runId: string,
): Promise<void> {
  const queueKey = parseRunId(runId)?.queueKey as string;
  const owner = queueOf(queueKey);
  if (!item.waiter && (await owner.retrieveRun(environment.key, runId))) return;
  const stats = await owner.queueStats(environment.key);
  const queue = stats?.queue ?? defaultQueueName(item.task);
  await owner.triggerRuns({ environment, queue, partition: 0, queueKey }, stats?.declared ?? {}, [
    { ...item, runId, idempotency: item.idempotency && { ...item.idempotency, claim: false } },
  ]);
}
