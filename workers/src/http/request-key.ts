import type { Context } from "hono";
import type { App } from "../bindings.ts";

export const REQUEST_KEY_HEADER = "x-trigger-request-idempotency-key";

const MAX_LENGTH = 256;

/**
 * The request's idempotency key: clients send the same one when they repeat a call that was not answered. It is kept for an hour.
 * Undefined when there is none, or when it is too long to be stored.
 */
export function requestKeyOf(c: Context<App>): string | undefined {
  const key = c.req.header(REQUEST_KEY_HEADER);
  return key && key.length <= MAX_LENGTH ? key : undefined;
}
