import type { LimitBound, LimitKeyState, LimitState } from "@acme/durable-objects/rpc";
import type { ConcurrencyLimitItem, ConcurrencyLimitKeyItem } from "@acme/sdk/contract/api";
import { isoTime } from "./time.ts";

/** Returns a named concurrency limit as the API shows it. */
export const limitView = ({
  name,
  perKey,
  total,
  running,
  queued,
  paused,
}: LimitState): ConcurrencyLimitItem => ({
  id: `climit_${name}`,
  name,
  perKey: boundView(perKey),
  total: boundView(total),
  running,
  queued,
  paused,
});

const boundView = ({ overriddenAt, ...bound }: LimitBound) => ({
  ...bound,
  overriddenAt: overriddenAt === null ? null : isoTime(overriddenAt),
});

export const limitKeyView = ({ perKey, ...state }: LimitKeyState): ConcurrencyLimitKeyItem => ({
  ...state,
  perKey: { ...perKey, expiresAt: perKey.expiresAt === null ? null : isoTime(perKey.expiresAt) },
});
