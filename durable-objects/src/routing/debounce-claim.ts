import type { DebounceClaim, DebouncePush, TriggerItem } from "../queue/rpc.ts";

/** What a trigger asks the home of its key for. */
export const debounceClaimOf = (
  { task, runId, delayUntil = 0, idempotency }: TriggerItem,
  { key, until }: NonNullable<TriggerItem["debounce"]>,
): DebounceClaim => ({
  task,
  key,
  runId,
  until: Math.max(delayUntil, until),
  idempotencyKey: idempotency?.key,
});

/** What a trigger asks the queue of an earlier run for. */
export function pushOf(item: TriggerItem): DebouncePush {
  const { until, maxDelayMs, trailing } = item.debounce as NonNullable<TriggerItem["debounce"]>;
  const { payload, payloadType, metadata, tags, maxAttempts, maxDuration, machine, waiter, idempotency } =
    item;
  const latest = { payload, payloadType, metadata, tags, maxAttempts, maxDuration, machine };
  return {
    until,
    maxDelayMs,
    latest: trailing ? latest : undefined,
    waiter,
    keptUntil: idempotency?.expiresAt,
  };
}
