import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { App } from "../../bindings.ts";
import { Failure } from "../../http/failure.ts";

/** Handle of a client that was refused: it gets the plain answer if it comes again. */
const REFUSED = "refused";

/**
 * The subscriptions of `@trigger.dev/sdk` outside of browsers wait for ever, without an error, where the answer is a 401, 403 or
 * 404. They throw where a payload cannot be decoded, and that error shows the payload's text: so they get a run whose payload
 * is the reason. Browsers, whose hooks show the error of an answer, get the answer, as does every other client.
 */
export const refusals = createMiddleware<App>(async (c, next) => {
  await next();
  const { error } = c;
  if (!(error instanceof Failure) || !hangsOn(error.status) || !isPublishedSdk(c)) return;
  if (c.req.query("handle") === REFUSED) return;
  c.res = undefined;
  c.res = refusal(error, c.req.query("live") === "true");
});

/** Such an answer ends the client's polls. It repeats those of other errors. */
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
    // The error shows a text of up to 20 characters whole.
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
