import type { RunFinished, TriggerResult } from "@acme/durable-objects/rpc";
import { LIMITS, TRACEPARENT_HEADER } from "@acme/sdk/contract";
import { TriggerBody } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import { realtimeOf, useOnce } from "../auth/public-scopes.ts";
import { issuePublicToken } from "../auth/tokens.ts";
import type { App, Bindings } from "../bindings.ts";
import { readRequiredBody } from "../http/body.ts";
import { requestKeyOf } from "../http/request-key.ts";
import { ownerOf } from "../objects.ts";
import { checkResumable, operationOf } from "../runs/operation.ts";
import { triggerChild, triggerRun } from "../runs/trigger-run.ts";
import { resultOf, waitOf } from "../views/run-result.ts";

const PUBLIC_TOKEN_SECONDS = 3_600;

export const triggerRoutes = new Hono<App>().post(
  "/api/v1/tasks/:taskId/trigger",
  access("triggerTask"),
  async (c) => {
    // `c.get` is used because `c.var` would copy all variables.
    const environment = c.get("environment");
    const waitMs = waitOf(c);
    const body = await readRequiredBody(c, TriggerBody, LIMITS.triggerBodyBytes);
    const operation = operationOf(c, environment);
    checkResumable(operation, body.options?.resumeParentOnCompletion);
    const traceparent = c.req.header(TRACEPARENT_HEADER);
    const input = { task: c.req.param("taskId"), body, waitMs, traceparent };
    const requestKey = requestKeyOf(c);
    const result = operation
      ? await triggerChild(c.env, environment, operation, input)
      : await triggerRun(c.env, environment, { ...input, requestKey }, () => useOnce(c, requestKey));
    // The published client signs such tokens with its secret key. Here keys are stored hashed, so the server
    // signs for requests of that client. A caller that triggers with a public token can watch the run only
    // with this one.
    if (c.req.header("trigger-version") !== undefined || c.get("credential").type === "public") {
      const scopes = [`read:runs:${result.runId}`, `write:inputStreams:${result.runId}`];
      const seconds = PUBLIC_TOKEN_SECONDS;
      const realtime = realtimeOf(c);
      const token = issuePublicToken(c.env, environment.key, { scopes, seconds, realtime });
      c.header("x-trigger-jwt", token);
    }
    const answer = { id: result.runId, isCached: result.cached };
    if (waitMs === 0) return c.json(answer);
    const finished = await finishedOf(c.env, environment.key, result, waitMs);
    return c.json({ ...answer, result: finished && (await resultOf(c.env, environment.key, finished)) });
  },
);

/** Undefined: the run has not ended by then. */
async function finishedOf(
  env: Bindings,
  environmentKey: string,
  { runId, finished }: TriggerResult,
  waitMs: number,
): Promise<RunFinished | undefined> {
  if (finished !== undefined) return finished ?? undefined;
  // An earlier run in another queue.
  const found = await ownerOf(env, environmentKey, runId).waitForRun(environmentKey, runId, waitMs);
  return found && !("error" in found) ? found : undefined;
}
