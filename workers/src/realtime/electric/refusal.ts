import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { App } from "../../bindings.ts";
import { Failure } from "../../http/failure.ts";

/** Handle of a refused client. It gets the plain response if it polls again. */
const REFUSED = "refused";

/**
 * Outside of browsers, subscriptions of `@trigger.dev/sdk` wait forever, without an error, after a 401, 403 or
 * 404. They throw if a payload cannot be decoded, and that error shows the payload's text, so they get a run whose
 * payload is the reason. Browsers, whose hooks show the error of a response, and all other clients get the plain
 * response.
 */
export const refusals = createMiddleware<App>(async (c, next) => {
  await next();
  const { error } = c;
  if (!(error instanceof Failure) || !hangsOn(error.status) || !isPublishedSdk(c)) return;
  if (c.req.query("handle") === REFUSED) return;
  c.res = undefined;
  c.res = refusal(error, c.req.query("live") === "true");
});

/** Such a response ends the client's polls. After other errors it retries. */
const hangsOn = (status: number): boolean => status >= 400 && status < 500 && status !== 429;

const isPublishedSdk = (c: Context<App>): boolean =>
  c.req.header("x-trigger-electric-version") !== undefined && c.req.header("origin") === undefined;

function refusal({ status }: Failure, live: boolean): Response {
  const time = new Date().toISOString().slice(0, -1);
  const value = {
    id: REFUSED,
    friendlyId: REFUSED,
    taskIdentifier: REFUSED,
    status: "SYSTEM_FAILURE",
    createdAt: time,
    updatedAt: time,
    // The error shows texts of up to 20 characters in full.
    payload: `refused: HTTP ${status}`,
    payloadType: "application/json",
  };
  const messages = [
    { key: REFUSED, headers: { operation: "insert" }, value },
    { headers: { control: "up-to-date" } },
  ];
  return Response.json(messages, {
    headers: {
      "cache-control": "no-store",
      "electric-handle": REFUSED,
      "electric-offset": "0_0",
      "electric-up-to-date": "true",
      ...(live ? { "electric-cursor": "1" } : { "electric-schema": "{}" }),
    },
  });
}
