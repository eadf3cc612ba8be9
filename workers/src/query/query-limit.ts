import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { limiterOf } from "../http/limiter.ts";

/**
 * A query may use two processors for 10 s, so an environment that queries without pause must not block
 * ClickHouse for others.
 */
const LIMIT = { burst: 20, perSecond: 2 };

/** Counts a query of an environment. Throws a 429 if there are too many. */
export async function takeQuery(env: Bindings, environment: string): Promise<void> {
  const taken = await limiterOf(env, `query:${environment}`).take(1, LIMIT);
  if (taken.granted > 0) return;
  const seconds = Math.max(1, Math.ceil(taken.retryAfterMs / 1000));
  throw new Failure(
    429,
    "too_many_queries",
    `This environment runs too many queries: ${LIMIT.burst} at once and ${LIMIT.perSecond} a second are allowed. Try again in ${seconds} s.`,
    { headers: { "retry-after": String(seconds) } },
  );
}
