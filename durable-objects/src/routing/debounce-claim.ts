import type { DebounceClaim, DebouncePush, TriggerItem } from "../queue/rpc.ts";

/** The claim of a trigger, for the home of its debounce key. */
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

/** What a trigger asks of the queue of an earlier run that it is to become part of. */
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
