import type { Context } from "hono";
import type { App } from "../bindings.ts";

export const REQUEST_KEY_HEADER = "x-trigger-request-idempotency-key";

const MAX_LENGTH = 256;

/**
 * What names a call: clients send the same when they repeat it because no answer came, within the hour that it is kept.
 * Undefined where there is none, or none that is worth keeping.
 */
export function requestKeyOf(c: Context<App>): string | undefined {
  const key = c.req.header(REQUEST_KEY_HEADER);
  return key && key.length <= MAX_LENGTH ? key : undefined;
}
